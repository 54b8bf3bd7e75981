import { AppError } from "../../../core/errors.ts";
import type { GtidSet } from "../gtid-set.ts";
import { damaged } from "./cursor.ts";
import type { DumpPiece } from "./dump-packets.ts";
import { EVENT, readEvent, readFormatDescription } from "./event.ts";
import { readHeartbeat, readIncident, readRotation } from "./event-bodies.ts";
import { isTransactionHead, readTransactionHead, type TransactionHead } from "./gtid-event.ts";
import type { FileOffset, LogRun } from "./log-position.ts";
import { OpenStretch, type Stretch } from "./log-stretch.ts";

/*
 * Follows a dump and says of each piece which bytes are new. What it knows grows with each piece; `takeStretch` hands over what
 * came since the last call. A transaction ends where its first event said that it would.
 */

const FILE_START = 4;
const HIGHEST_32_BITS = 2 ** 32;

interface OpenTransaction {
  head: TransactionHead;
  start: number;
  /** Offset after it. */
  end: number;
  /** Of it in the stretch. */
  bytes: number;
}

/** What was shipped before, of this server's files. */
export interface Shipped {
  end: FileOffset;
  boundary: FileOffset;
}

/** How far a piece was followed. */
export interface Followed {
  /** Offset in the piece. */
  end: number;
  /** The bytes before it that belong to the log and were not shipped before. */
  kept: Buffer | undefined;
}

export class LogTracker {
  readonly #shipped: Shipped | undefined;
  #end: FileOffset | undefined;
  #boundary: FileOffset | undefined;
  #file = "";
  /** In the file, after the last byte. */
  #offset = 0;
  /** The stretch of the file that grows. */
  #run: LogRun | undefined;
  #formatDescription: Buffer | undefined;
  #hasChecksum: boolean;
  #transaction: OpenTransaction | undefined;
  #stretch = new OpenStretch(undefined);

  /** `hasChecksum`: whether the events before the first format description end in one. */
  constructor(shipped: Shipped | undefined, hasChecksum: boolean) {
    this.#shipped = shipped;
    this.#hasChecksum = hasChecksum;
    this.#end = shipped && { ...shipped.end };
    this.#boundary = shipped && { ...shipped.boundary };
  }

  /** Up to where the server has sent everything, shipped before or now. */
  get seen(): FileOffset | undefined {
    return this.#file === "" ? undefined : { file: this.#file, offset: this.#offset };
  }

  /** Whether nothing is unfinished. */
  get isAtBoundary(): boolean {
    return this.#transaction === undefined;
  }

  /** The transactions that ended since `takeStretch` was called. */
  get added(): GtidSet {
    return this.#stretch.added;
  }

  /**
   * Follows a piece from `from` on: to its end, or with `untilBoundary` to the first place where no transaction is unfinished.
   * Throws LOG_INCIDENT, SOURCE_PROTOCOL.
   */
  take(piece: DumpPiece, from: number, untilBoundary: boolean): Followed {
    const { bytes } = piece;
    if (piece.kind === "events") return this.#takeEvents(bytes, from, untilBoundary);
    const end = bytes.length;
    if (piece.kind === "made-up") this.#takeMadeUp(bytes);
    else {
      if (piece.isFirst) this.#startEvent(bytes, 0);
      const kept = this.#keep(end);
      if (piece.isLast) this.#endEvent();
      if (kept > 0) return { end, kept: bytes.subarray(end - kept) };
    }
    return { end, kept: undefined };
  }

  /** What came since the last call. */
  takeStretch(): Stretch {
    const stretch = this.#stretch.close({
      unfinishedBytes: this.#transaction?.bytes ?? 0,
      boundary: this.#boundary && { ...this.#boundary },
      end: this.#end && { ...this.#end },
    });
    this.#stretch = new OpenStretch(this.#formatDescription);
    this.#run = undefined;
    if (this.#transaction !== undefined) this.#transaction.bytes = 0;
    return stretch;
  }

  #takeEvents(bytes: Buffer, from: number, untilBoundary: boolean): Followed {
    let end = from;
    let kept = 0;
    do {
      const size = this.#startEvent(bytes, end);
      kept += this.#keep(size);
      this.#endEvent();
      end += size;
    } while (end < bytes.length && !(untilBoundary && this.isAtBoundary));
    // What was shipped before comes before what was not.
    return { end, kept: kept === 0 ? undefined : bytes.subarray(end - kept, end) };
  }

  #takeMadeUp(bytes: Buffer): void {
    const event = readEvent(bytes, this.#hasChecksum);
    if (event.type === EVENT.formatDescription) this.#describe(bytes);
    else if (event.type === EVENT.rotate) {
      const { file, position } = readRotation(event);
      this.#file = file;
      this.#offset = Number(position);
      this.#run = undefined;
    } else if (event.type === EVENT.heartbeat || event.type === EVENT.heartbeatV2) {
      const { file, position } = readHeartbeat(event);
      // The older form has 32 bits, which tell nothing in a longer file.
      const offset = event.type === EVENT.heartbeat ? this.#unwrap(Number(position)) : Number(position);
      if (file !== this.#file) throw damaged(`a heartbeat in ${file}, expected ${this.#file}`);
      this.#offset = Math.max(this.#offset, offset);
    }
  }

  #describe(bytes: Buffer): void {
    this.#formatDescription = bytes;
    this.#hasChecksum = readFormatDescription(bytes).hasChecksum;
    if (this.#stretch.runs.length === 0) this.#stretch.formatDescription = bytes;
  }

  /** Looks at the event that starts at `offset` of the bytes. Returns its size. */
  #startEvent(bytes: Buffer, offset: number): number {
    const type = bytes[offset + 4] ?? 0;
    const size = bytes.readUInt32LE(offset + 9);
    const start = this.#unwrap(bytes.readUInt32LE(offset + 13)) - size;
    if (start < FILE_START) throw damaged(`type ${type} starts at ${start}`);
    this.#offset = start;
    if (type === EVENT.formatDescription) this.#describe(bytes.subarray(offset, offset + size));
    else if (type === EVENT.incident) this.#refuse(bytes.subarray(offset, offset + size));
    else if (isTransactionHead(type)) this.#startTransaction(bytes.subarray(offset, offset + size));
    return size;
  }

  #startTransaction(event: Buffer): void {
    const head = readTransactionHead(readEvent(event, this.#hasChecksum));
    if (head.transactionLength === 0n) throw damaged("a transaction does not say how long it is");
    const start = this.#offset;
    this.#transaction = { head, start, end: start + Number(head.transactionLength), bytes: 0 };
  }

  /** Goes on by `size` bytes of the log. Returns how many of them, at their end, were not shipped before. */
  #keep(size: number): number {
    const end = (this.#offset += size);
    const shippedTo = this.#shipped?.end.file === this.#file ? this.#shipped.end.offset : 0;
    const kept = Math.min(size, Math.max(0, end - shippedTo));
    if (kept === 0) return 0;
    if (this.#run?.to === end - kept) this.#run.to = end;
    else this.#run = this.#startRun(end - kept, end);
    if (this.#end?.file === this.#file) this.#end.offset = end;
    else this.#end = { file: this.#file, offset: end };
    if (this.#transaction !== undefined) this.#transaction.bytes += kept;
    return kept;
  }

  #startRun(from: number, to: number): LogRun {
    const { runs } = this.#stretch;
    if (runs.length === 0) {
      // Its first bytes were shipped before and are skipped now.
      this.#stretch.resumesTransaction = this.#transaction !== undefined && from > this.#transaction.start;
      if (from === FILE_START) this.#stretch.formatDescription = undefined;
    }
    const run = { file: this.#file, from, to };
    runs.push(run);
    return run;
  }

  #endEvent(): void {
    const offset = this.#offset;
    const transaction = this.#transaction;
    if (transaction !== undefined && offset > transaction.end) throw damaged("a transaction is longer than it says");
    if (transaction !== undefined && offset < transaction.end) return;
    this.#transaction = undefined;
    if (this.#end?.file !== this.#file || this.#end.offset !== offset) return;
    if (transaction !== undefined) this.#stretch.add(transaction.head);
    if (this.#boundary?.file === this.#file) this.#boundary.offset = offset;
    else this.#boundary = { file: this.#file, offset };
  }

  #refuse(bytes: Buffer): never {
    const { number, message } = readIncident(readEvent(bytes, this.#hasChecksum));
    const where = `${this.#file}:${this.#offset}`;
    throw new AppError("LOG_INCIDENT", `${where}: the server logged incident ${number}: ${message}`, {
      hint: "Changes are missing in the binary log there. Make a full backup: shipping goes on from it.",
    });
  }

  /** Positions have 32 bits in the log, and files can be longer. */
  #unwrap(position: number): number {
    const near = this.#offset;
    const base = near - (near % HIGHEST_32_BITS);
    return base + position + (base + position + HIGHEST_32_BITS / 2 < near ? HIGHEST_32_BITS : 0);
  }
}
