import { AppError } from "../../core/errors.ts";
import type { Logger } from "../../core/log.ts";
import type { Clock } from "../../core/time.ts";
import { type DumpStart, dumpBinlog } from "./binlog/dump-stream.ts";
import type { DumpPiece } from "./binlog/dump-packets.ts";
import { EVENT } from "./binlog/event.ts";
import { auditLog, type FullPosition, type ShipStart } from "./binlog/log-audit.ts";
import { compareOffsets, fileNumber } from "./binlog/log-position.ts";
import { LogTracker } from "./binlog/log-tracker.ts";
import type { LogFacts, SegmentFiller } from "./binlog/segment-filler.ts";
import { type LogMark, readLogMark, readServerLog } from "./binlog/server-log.ts";
import { type MysqlConnection, openConnection } from "./connection.ts";
import type { MysqlTarget } from "./url.ts";

export interface SessionOptions {
  target: MysqlTarget;
  serverId: number;
  replicaUuid: string;
  /** How often a segment is closed while something happens. */
  segmentMs: number;
  /** By `clock`: not before this instant does shipping end, and not before it has caught up then. */
  until: Date;
  /** The fulls that the log may follow, oldest first. */
  fulls: () => Promise<FullPosition[]>;
  clock: Clock;
  signal: AbortSignal;
  logger: Logger;
  /** Runs once on the connection beside the dump, before anything is read. */
  prepare?: ((connection: MysqlConnection) => Promise<void>) | undefined;
  /** Begins there instead of where the log in the vault ends. */
  restart?: ShipStart;
  /** Told of each gap. */
  onGap: (gap: { reason: string; message: string }) => void;
}

/** A transaction that fits ends in its segment; one that does not is cut at the hard limit, which bounds the memory. */
const SOFT_LIMIT_BYTES = 32 * 1024 * 1024;
const HARD_LIMIT_BYTES = 64 * 1024 * 1024;
/** How often an idle server's log gets a segment without data that says so. */
const IDLE_MARK_MS = 60_000;
/** A server that is there answers sooner; one that a firewall forgot never does, and says nothing. */
const ANSWER_TIMEOUT_MS = 10_000;

type ServerLog = Awaited<ReturnType<typeof readServerLog>>;

/** Ships over one connection until the time is over. Whatever it throws, what it has read is closed before. */
export async function runSession(filler: SegmentFiller, options: SessionOptions): Promise<void> {
  const { target, signal } = options;
  const stalled = new AbortController();
  await using control = await openConnection(target, { signal: AbortSignal.any([signal, stalled.signal]) });
  const server = await answered(stalled, async () => {
    await options.prepare?.(control);
    return readServerLog(control);
  });
  const fulls = filler.held === undefined ? await options.fulls() : [];
  const start = options.restart ?? auditLog(server, filler.held, fulls);
  const session = new ShipSession({ filler, control, server, stalled }, start, options);
  try {
    await session.run(start);
  } finally {
    await session.end();
  }
}

interface SessionParts {
  filler: SegmentFiller;
  /** For questions beside the dump. */
  control: MysqlConnection;
  server: ServerLog;
  /** Ends `control` when it does not answer. */
  stalled: AbortController;
}

class ShipSession {
  readonly #filler: SegmentFiller;
  readonly #control: MysqlConnection;
  readonly #server: ServerLog;
  readonly #stalled: AbortController;
  readonly #options: SessionOptions;
  readonly #tracker: LogTracker;
  readonly #facts: LogFacts;
  /** Waits for the dump to come that far. */
  #mark: LogMark | undefined;
  #caughtUpAt = "";
  #nextMarkAt = 0;
  #openedAt: number | undefined;
  #idleSince: number;
  #isOver = false;

  constructor({ filler, control, server, stalled }: SessionParts, start: ShipStart, options: SessionOptions) {
    this.#filler = filler;
    this.#control = control;
    this.#server = server;
    this.#stalled = stalled;
    this.#options = options;
    const { held } = filler;
    const isSame = start.kind === "continue" && held?.serverUuid === server.serverUuid;
    const shipped = isSame && held.end && held.boundary ? { end: held.end, boundary: held.boundary } : undefined;
    this.#tracker = new LogTracker(shipped, server.hasChecksum);
    const { serverUuid, gtidMode } = server;
    this.#facts = { serverUuid, gtidMode, server: { kind: "mysql", version: control.serverVersion } };
    this.#idleSince = options.clock().getTime();
    if (start.kind === "continue") filler.startFrom(start.before, undefined);
    else filler.startFrom(start.before, { kind: "start", reason: start.reason, message: start.message });
  }

  async run(start: ShipStart): Promise<void> {
    const { logger, onGap } = this.#options;
    if (start.kind === "restart" && start.reason !== "first") onGap({ reason: start.reason, message: start.message });
    logger.info("ship-started", { by: "gtids" in start.from ? "gtid" : "file", server: this.#server.serverUuid });
    let from = start.from;
    const rest = start.kind === "continue" && "gtids" in from ? this.#restOfFile() : undefined;
    if (rest !== undefined) {
      await this.#ship(rest, "this file");
      from = { gtids: this.#filler.closed.union(this.#tracker.added) };
    }
    await this.#ship(from, "follow");
  }

  /** Closes what is there. */
  async end(): Promise<void> {
    if (this.#options.signal.aborted) this.#filler.abandon();
    else if (this.#filler.bytes > 0) await this.#close();
    await this.#filler.settle();
  }

  /**
   * The events at a file's end that have no GTID, such as its rotation: the server would start after them. Only where the
   * connection broke just there.
   */
  #restOfFile(): DumpStart | undefined {
    const { held } = this.#filler;
    if (!held?.end || !held.boundary || held.serverUuid !== this.#server.serverUuid) return undefined;
    const { end, boundary } = held;
    const newest = this.#server.files.at(-1)?.file ?? "";
    const file = this.#server.files.find((candidate) => candidate.file === end.file);
    const hasRest = file !== undefined && file.sizeBytes > end.offset && fileNumber(newest) > fileNumber(end.file);
    return hasRest ? { file: boundary.file, position: boundary.offset } : undefined;
  }

  async #ship(from: DumpStart, extent: "this file" | "follow"): Promise<void> {
    const { target, serverId, replicaUuid, segmentMs, signal } = this.#options;
    const connection = await openConnection(target, { signal: AbortSignal.any([signal, this.#stalled.signal]) });
    const heartbeatMs = Math.max(100, Math.min(1000, segmentMs / 4));
    const follow = extent === "follow";
    let rotations = 0;
    // Once it runs, it watches over the silence itself.
    using start = answerDeadline(this.#stalled);
    for await (const pieces of dumpBinlog(connection, { from, serverId, replicaUuid, follow, heartbeatMs })) {
      start[Symbol.dispose]();
      rotations += follow ? 0 : countMadeUpRotations(pieces);
      await this.#take(rotations > 1 ? beforeSecondRotation(pieces, rotations) : pieces);
      if (rotations > 1 || this.#isOver) return;
    }
    if (follow) throw new AppError("SOURCE_CONNECTION_LOST", "the server ended the stream of its binary log");
  }

  async #take(pieces: readonly DumpPiece[]): Promise<void> {
    const { clock, signal } = this.#options;
    signal.throwIfAborted();
    const now = clock().getTime();
    for (const piece of pieces) await this.#takePiece(piece, now);
    this.#compareWithMark();
    const isTime = now >= this.#options.until.getTime();
    if (this.#mark === undefined && (isTime || now >= this.#nextMarkAt)) await this.#lookForMark(now);
    this.#isOver = isTime && this.#mark === undefined;
    await this.#closeWhenQuiet(now);
  }

  async #takePiece(piece: DumpPiece, now: number): Promise<void> {
    for (let offset = 0; offset < piece.bytes.length;) {
      const { end, kept } = this.#tracker.take(piece, offset, this.#isFull(now));
      offset = end;
      if (kept !== undefined) {
        this.#openedAt ??= now;
        await this.#filler.add(kept);
      }
      const isTooLong = !this.#tracker.isAtBoundary && this.#filler.bytes >= HARD_LIMIT_BYTES;
      if (isTooLong || (this.#tracker.isAtBoundary && this.#isFull(now))) await this.#close();
    }
  }

  #isFull(now: number): boolean {
    return this.#filler.bytes >= SOFT_LIMIT_BYTES || this.#isDue(now);
  }

  #isDue(now: number): boolean {
    return this.#openedAt !== undefined && now - this.#openedAt >= this.#options.segmentMs;
  }

  #compareWithMark(): void {
    const { seen } = this.#tracker;
    if (this.#mark === undefined || seen === undefined || compareOffsets(seen, this.#mark.position) < 0) return;
    this.#caughtUpAt = this.#mark.time;
    this.#mark = undefined;
  }

  async #lookForMark(now: number): Promise<void> {
    this.#mark = await answered(this.#stalled, () => readLogMark(this.#control));
    this.#nextMarkAt = now + this.#options.segmentMs / 2;
    this.#compareWithMark();
  }

  /** An idle server's segment is closed too, and once a minute an empty one says that there was nothing. */
  async #closeWhenQuiet(now: number): Promise<void> {
    if (!this.#tracker.isAtBoundary) return;
    const isProof = this.#caughtUpAt > this.#filler.storedCaughtUpAt;
    const isMarkDue = isProof && (this.#isOver || now - this.#idleSince >= IDLE_MARK_MS);
    if (this.#isDue(now) || isMarkDue) await this.#close();
  }

  async #close(): Promise<void> {
    await this.#filler.close(this.#tracker, this.#facts, this.#caughtUpAt);
    this.#openedAt = undefined;
    this.#idleSince = this.#options.clock().getTime();
  }
}

/** Ends what waits for an answer when none comes in time. */
function answerDeadline(stalled: AbortController): Disposable {
  const error = new AppError("SOURCE_CONNECTION_LOST", `no answer for ${ANSWER_TIMEOUT_MS / 1000} s`);
  const timeout = setTimeout(() => stalled.abort(error), ANSWER_TIMEOUT_MS);
  return { [Symbol.dispose]: () => clearTimeout(timeout) };
}

async function answered<Answer>(stalled: AbortController, ask: () => Promise<Answer>): Promise<Answer> {
  const deadline = answerDeadline(stalled);
  try {
    return await ask();
  } finally {
    deadline[Symbol.dispose]();
  }
}

function isMadeUpRotation(piece: DumpPiece): boolean {
  return piece.kind === "made-up" && piece.header.type === EVENT.rotate && piece.header.timestamp === 0;
}

function countMadeUpRotations(pieces: readonly DumpPiece[]): number {
  return pieces.filter(isMadeUpRotation).length;
}

/** What comes before the second rotation: the first one opens the file, the second leaves it. */
function beforeSecondRotation(pieces: readonly DumpPiece[], rotations: number): readonly DumpPiece[] {
  let index = pieces.length;
  for (let left = rotations; left > 1; left--) index = pieces.slice(0, index).findLastIndex(isMadeUpRotation);
  return pieces.slice(0, index);
}
