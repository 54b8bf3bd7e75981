import { AppError } from "../../../core/errors.ts";
import { GtidCollector, type GtidSet } from "../gtid-set.ts";
import { damaged } from "./cursor.ts";
import type { EventPiece } from "./dump-packets.ts";
import { EVENT, EVENT_FLAG, readEvent, readFormatDescription } from "./event.ts";
import { readHeartbeat, readIncident, readRotation } from "./event-bodies.ts";
import { isTransactionHead, readTransactionHead } from "./gtid-event.ts";
import type { FileOffset, LogRun } from "./log-position.ts";

/*
 * Follows a dump and says of each piece which bytes are new. What it knows grows with each piece; `takeStretch` hands over what
 * came since the last call. A transaction ends where its first event said that it would.
 */

const FILE_START = 4;
const HIGHEST_32_BITS = 2 ** 32;

/** What lies between two calls of `takeStretch`. */
export interface Stretch {
  runs: LogRun[];
  added: GtidSet;
  transactions: number;
  /** Microseconds since 1970; undefined where no transaction ends in the stretch. */
  firstCommitMicros: bigint | undefined;
  lastCommitMicros: bigint | undefined;
  formatDescription: Buffer | undefined;
  resumesTransaction: boolean;
  unfinishedBytes: number;
  boundary: FileOffset | undefined;
  end: FileOffset | undefined;
}

interface OpenTransaction {
  start: number;
  /** Offset after it. */
  end: number;
  collect: () => void;
  bytes: number;
}

/** What was shipped before, of this server's files. */
export interface Shipped {
  end: FileOffset;
  boundary: FileOffset;
}

export class LogTracker {
  /** Up to where the server has sent everything, shipped before or now. */
  seen: FileOffset | undefined;
  readonly #shipped: Shipped | undefined;
  #end: FileOffset | undefined;
  #boundary: FileOffset | undefined;
  #file = "";
  /** Offset of the first byte of the event that is being read. */
  #eventStart = 0;
  #eventBytes = 0;
  #formatDescription: Buffer | undefined;
  #hasChecksum: boolean;
  #transaction: OpenTransaction | undefined;
  #stretch: OpenStretch;

  /** `hasChecksum`: whether the events before the first format description end in one. */
  constructor(shipped: Shipped | undefined, hasChecksum: boolean) {
    this.#shipped = shipped;
    this.#hasChecksum = hasChecksum;
    this.#end = shipped?.end;
    this.#boundary = shipped?.boundary;
    this.#stretch = openStretch(undefined);
  }

  /** Whether nothing is unfinished. */
  get isAtBoundary(): boolean {
    return this.#transaction === undefined;
  }

  /** The transactions that ended since `takeStretch` was called. */
  get added(): GtidSet {
    return this.#stretch.collector.toSet();
  }

  /** The bytes of the piece that belong to the log and were not shipped before. Throws LOG_INCIDENT, SOURCE_PROTOCOL. */
  take(piece: EventPiece): Buffer | undefined {
    const { header, bytes } = piece;
    if (header.type === EVENT.heartbeat || header.type === EVENT.heartbeatV2) return this.#heartbeat(piece);
    const isMadeUp = header.nextPosition === 0 || (header.flags & EVENT_FLAG.artificial) !== 0;
    if (isMadeUp) return this.#takeMadeUp(piece);
    if (piece.isFirst) this.#startEvent(piece);
    const from = this.#eventStart + this.#eventBytes;
    this.#eventBytes += bytes.length;
    const kept = this.#keep(from, bytes);
    if (piece.isLast) this.#endEvent();
    return kept;
  }

  /** What came since the last call. */
  takeStretch(): Stretch {
    const { collector, wasInside, formatDescription, ...counted } = this.#stretch;
    const stretch: Stretch = {
      ...counted,
      added: collector.toSet(),
      formatDescription,
      resumesTransaction: wasInside,
      unfinishedBytes: this.#transaction?.bytes ?? 0,
      boundary: this.#boundary,
      end: this.#end,
    };
    this.#stretch = openStretch(this.#formatDescription);
    if (this.#transaction !== undefined) this.#transaction.bytes = 0;
    return stretch;
  }

  #heartbeat({ header, bytes }: EventPiece): undefined {
    const { file, position } = readHeartbeat(readEvent(bytes, this.#hasChecksum));
    // The older form has 32 bits, which tell nothing in a longer file.
    const offset = header.type === EVENT.heartbeat ? this.#unwrap(Number(position)) : Number(position);
    if (file !== this.#file) throw damaged(`a heartbeat in ${file}, expected ${this.#file}`);
    if (offset > (this.seen?.offset ?? 0)) this.seen = { file, offset };
    return undefined;
  }

  #takeMadeUp(piece: EventPiece): undefined {
    const { header, bytes } = piece;
    if (header.type === EVENT.formatDescription) this.#describe(bytes);
    if (header.type !== EVENT.rotate) return undefined;
    const { file, position } = readRotation(readEvent(bytes, this.#hasChecksum));
    this.#file = file;
    this.seen = { file, offset: Number(position) };
    return undefined;
  }

  #describe(bytes: Buffer): void {
    this.#formatDescription = bytes;
    this.#hasChecksum = readFormatDescription(bytes).hasChecksum;
    if (this.#stretch.runs.length === 0) this.#stretch.formatDescription = bytes;
  }

  #startEvent({ header, bytes }: EventPiece): void {
    const next = this.#unwrap(header.nextPosition);
    this.#eventStart = next - header.size;
    this.#eventBytes = 0;
    if (this.#eventStart < FILE_START) throw damaged(`type ${header.type} starts at ${this.#eventStart}`);
    if (header.type === EVENT.formatDescription) this.#describe(bytes);
    if (header.type === EVENT.incident) this.#refuse(readEvent(bytes, this.#hasChecksum));
    if (!isTransactionHead(header.type)) return;
    const head = readTransactionHead(readEvent(bytes, this.#hasChecksum));
    if (head.transactionLength === 0n) throw damaged("a transaction does not say how long it is");
    this.#transaction = {
      start: this.#eventStart,
      end: this.#eventStart + Number(head.transactionLength),
      bytes: 0,
      collect: () => {
        const stretch = this.#stretch;
        if (head.gtid !== undefined) stretch.collector.add(head.gtid);
        stretch.transactions += 1;
        const micros = head.immediateCommitMicros;
        stretch.firstCommitMicros ??= micros;
        if (micros > (stretch.lastCommitMicros ?? -1n)) stretch.lastCommitMicros = micros;
      },
    };
  }

  #keep(from: number, bytes: Buffer): Buffer | undefined {
    const shippedTo = this.#shipped?.end.file === this.#file ? this.#shipped.end.offset : 0;
    const kept = from >= shippedTo ? bytes : bytes.subarray(Math.min(bytes.length, shippedTo - from));
    if (kept.length === 0) return undefined;
    const to = from + bytes.length;
    const start = to - kept.length;
    const run = this.#stretch.runs.at(-1);
    if (run?.file === this.#file && run.to === start) run.to = to;
    else this.#startRun(start, to);
    this.#end = { file: this.#file, offset: to };
    if (this.#transaction !== undefined) this.#transaction.bytes += kept.length;
    return kept;
  }

  #startRun(from: number, to: number): void {
    const { runs } = this.#stretch;
    if (runs.length === 0) {
      // Its first bytes were shipped before and are skipped now.
      this.#stretch.wasInside = this.#transaction !== undefined && from > this.#transaction.start;
      if (from === FILE_START) this.#stretch.formatDescription = undefined;
    }
    runs.push({ file: this.#file, from, to });
  }

  #endEvent(): void {
    const offset = this.#eventStart + this.#eventBytes;
    this.seen = { file: this.#file, offset };
    const transaction = this.#transaction;
    if (transaction !== undefined && offset > transaction.end) throw damaged("a transaction is longer than it says");
    if (transaction !== undefined && offset < transaction.end) return;
    this.#transaction = undefined;
    if (this.#end?.file !== this.#file || this.#end.offset !== offset) return;
    transaction?.collect();
    this.#boundary = this.#end;
  }

  #refuse(event: ReturnType<typeof readEvent>): never {
    const { number, message } = readIncident(event);
    const where = `${this.#file}:${this.#eventStart}`;
    throw new AppError("LOG_INCIDENT", `${where}: the server logged incident ${number}: ${message}`, {
      hint: "Changes are missing in the binary log there. Make a full backup: shipping goes on from it.",
    });
  }

  /** Positions have 32 bits in the log, and files can be longer. */
  #unwrap(position: number): number {
    const near = this.seen?.file === this.#file ? this.seen.offset : 0;
    const base = near - (near % HIGHEST_32_BITS);
    return base + position + (base + position + HIGHEST_32_BITS / 2 < near ? HIGHEST_32_BITS : 0);
  }
}

interface OpenStretch {
  runs: LogRun[];
  collector: GtidCollector;
  transactions: number;
  firstCommitMicros: bigint | undefined;
  lastCommitMicros: bigint | undefined;
  formatDescription: Buffer | undefined;
  wasInside: boolean;
}

function openStretch(formatDescription: Buffer | undefined): OpenStretch {
  return {
    runs: [],
    collector: new GtidCollector(),
    transactions: 0,
    firstCommitMicros: undefined,
    lastCommitMicros: undefined,
    formatDescription,
    wasInside: false,
  };
}
