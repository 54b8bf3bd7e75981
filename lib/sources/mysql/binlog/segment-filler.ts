import type { SegmentContent } from "../../../vault/segment-manifest.ts";
import type { OpenSegment, SealedSegment, SegmentSink } from "../../../vault/segment-writer.ts";
import { GtidSet } from "../gtid-set.ts";
import type { LogPosition } from "./log-position.ts";
import type { LogTracker, Stretch } from "./log-tracker.ts";
import { formatMicros } from "./server-log.ts";

/** What is known besides the log's bytes. */
export interface LogFacts {
  server: SegmentContent["server"];
  serverUuid: string;
  gtidMode: string;
}

const PIECE_BYTES = 2 * 1024 * 1024;

/**
 * Fills segments one after the other and stores them in that order: while one is stored the next is filled, and there are
 * never more than these two.
 */
export class SegmentFiller {
  /** The position of the last segment that was closed. */
  held: LogPosition | undefined;
  /** Up to when the closed segments are known to hold everything. */
  storedCaughtUpAt = "";
  segments = 0;
  plainBytes = 0;
  storedBytes = 0;
  transactions = 0;
  lastCommitAt: string | undefined;
  readonly #sink: SegmentSink;
  #follows: SegmentContent["follows"] | undefined;
  #before = GtidSet.empty;
  #open: OpenSegment | undefined;
  #piece: Buffer = Buffer.alloc(0);
  #filled = 0;
  #storing: Promise<void> = Promise.resolve();

  constructor(sink: SegmentSink, previous: { id: string; position: LogPosition } | undefined) {
    this.#sink = sink;
    this.held = previous?.position;
    if (previous) this.#follows = { kind: "segment", id: previous.id };
  }

  /** Bytes in the segment that is being filled. */
  get bytes(): number {
    return (this.#open?.plainBytes ?? 0) + this.#filled;
  }

  /** Every transaction up to the end of the last segment that was closed. */
  get closed(): GtidSet {
    return this.#before;
  }

  /** The next segment starts from this set, and after that reason when it can't follow the one before. */
  startFrom(before: GtidSet, follows: Extract<SegmentContent["follows"], { kind: "start" }> | undefined): void {
    this.#before = before;
    if (follows) this.#follows = follows;
  }

  /** Returns what to wait for, now and then; a promise for each event would cost more than the event. */
  add(bytes: Buffer): Promise<void> | undefined {
    this.#open ??= this.#sink.open();
    if (this.#filled + bytes.length > this.#piece.length) return this.#addAfterFlush(bytes);
    // Copied, so that the memory of the socket's chunks is free at once.
    this.#filled += bytes.copy(this.#piece, this.#filled);
    return undefined;
  }

  async #addAfterFlush(bytes: Buffer): Promise<void> {
    await this.#flush();
    this.#piece = Buffer.allocUnsafeSlow(Math.max(PIECE_BYTES, bytes.length));
    this.#filled = bytes.copy(this.#piece, 0);
  }

  /** Closes the segment with what the tracker saw since the last time, also an empty one, and starts to store it. */
  async close(tracker: LogTracker, facts: LogFacts, caughtUpAt: string): Promise<void> {
    const open = (this.#open ??= this.#sink.open());
    await this.#flush();
    const stretch = tracker.takeStretch();
    const content = this.#describe(stretch, facts, caughtUpAt);
    const sealed = await open.close(content);
    this.#open = undefined;
    this.#count(stretch, sealed, content);
    await this.#storing;
    this.#storing = this.#sink.store(sealed);
    // Its failure is seen by whoever waits next.
    this.#storing.catch(() => {});
  }

  /** Waits until everything that was closed is stored. Throws what storing threw. */
  async settle(): Promise<void> {
    await this.#storing;
  }

  /** Gives up what is not closed. */
  abandon(): void {
    this.#open?.abort();
    this.#open = undefined;
    this.#piece = Buffer.alloc(0);
    this.#filled = 0;
  }

  async #flush(): Promise<void> {
    if (this.#filled === 0 || this.#open === undefined) return;
    const bytes = this.#piece.subarray(0, this.#filled);
    // Its memory is the sealer's from now on.
    this.#piece = Buffer.alloc(0);
    this.#filled = 0;
    await this.#open.write(bytes);
  }

  #describe(stretch: Stretch, facts: LogFacts, caughtUpAt: string): SegmentContent {
    const { firstCommitMicros, lastCommitMicros } = stretch;
    const position: LogPosition = {
      serverUuid: facts.serverUuid,
      gtidMode: facts.gtidMode,
      before: this.#before.toString(),
      added: stretch.added.toString(),
      runs: stretch.runs,
      formatDescription: stretch.formatDescription?.toString("base64") ?? null,
      resumesTransaction: stretch.resumesTransaction,
      unfinishedBytes: stretch.unfinishedBytes,
      boundary: stretch.boundary ?? null,
      end: stretch.end ?? null,
    };
    return {
      server: facts.server,
      follows: this.#follows ?? { kind: "start", reason: "first", message: "the first segment of the log" },
      firstCommitAt: firstCommitMicros === undefined ? null : formatMicros(firstCommitMicros),
      lastCommitAt: lastCommitMicros === undefined ? null : formatMicros(lastCommitMicros),
      caughtUpAt: caughtUpAt > this.storedCaughtUpAt ? caughtUpAt : null,
      transactions: stretch.transactions,
      isComplete: stretch.unfinishedBytes === 0,
      position: { ...position },
    };
  }

  #count(stretch: Stretch, { manifest }: SealedSegment, content: SegmentContent): void {
    const position = content.position as LogPosition;
    this.held = position;
    this.#before = this.#before.union(stretch.added);
    this.#follows = { kind: "segment", id: manifest.id };
    this.storedCaughtUpAt = content.caughtUpAt ?? this.storedCaughtUpAt;
    this.lastCommitAt = content.lastCommitAt ?? this.lastCommitAt;
    this.segments += 1;
    this.plainBytes += manifest.data.plainBytes;
    this.storedBytes += manifest.data.sizeBytes;
    this.transactions += stretch.transactions;
  }
}
