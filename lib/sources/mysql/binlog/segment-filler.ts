import type { SegmentContent } from "../../../vault/segment-manifest.ts";
import type { OpenSegment, SealedSegment, SegmentSink } from "../../../vault/segment-writer.ts";
import { GtidSet } from "../gtid-set.ts";
import type { LogPosition } from "./log-position.ts";
import type { Stretch } from "./log-stretch.ts";
import type { LogTracker } from "./log-tracker.ts";
import { formatMicros } from "./server-log.ts";

/** What is known besides the log's bytes. */
export interface LogFacts {
  server: SegmentContent["server"];
  serverUuid: string;
  gtidMode: string;
}

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
  #storing: Promise<void> = Promise.resolve();

  constructor(sink: SegmentSink, previous: { id: string; position: LogPosition } | undefined) {
    this.#sink = sink;
    this.held = previous?.position;
    if (previous) this.#follows = { kind: "segment", id: previous.id };
  }

  /** Bytes in the segment that is being filled. */
  get bytes(): number {
    return this.#open?.plainBytes ?? 0;
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

  /** Takes a copy of the bytes. Waits while the sealer is behind. */
  async add(bytes: Buffer): Promise<void> {
    this.#open ??= this.#sink.open();
    await this.#open.write(bytes);
  }

  /** Closes the segment with what the tracker saw since the last time, also an empty one, and starts to store it. */
  async close(tracker: LogTracker, facts: LogFacts, caughtUpAt: string): Promise<void> {
    const open = (this.#open ??= this.#sink.open());
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
