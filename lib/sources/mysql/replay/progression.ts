import type { TransactionHead } from "../binlog/gtid-event.ts";
import { formatGtid, type Gtid, GtidCollector, type GtidSet } from "../gtid-set.ts";
import type { Checkpoint, LogPosition, Pending } from "./checkpoint.ts";
import { formatMicros } from "./stop-point.ts";

/** Statements that were left out for one reason. */
export interface LeftOut {
  reason: string;
  statements: number;
  /** GTID or position of the first. */
  first: string;
}

/** How far a replay is, and what it counted. */
export class Progression {
  transactions = 0;
  rowEvents = 0;
  statements = 0;
  /** The transaction that was read last. */
  current: TransactionHead | undefined;
  /** The log held XA transactions. */
  sawXa = false;
  /** The stop point was reached. */
  stopped = false;
  /** Of the last transaction that was replayed; microseconds since 1970. */
  lastCommitMicros = 0n;
  /** Of the last transaction that was replayed; undefined where it has none. */
  lastGtid: Gtid | undefined;
  readonly openTemporaryTables = new Set<string>();
  readonly #leftOut = new Map<string, LeftOut>();
  #done: GtidSet;
  #collector = new GtidCollector();
  #position: LogPosition | undefined;
  #pending: Pending | undefined;
  /** Where transactions without GTIDs begin to count; undefined from there on. */
  #skipTo: LogPosition | undefined;
  #isInFile = false;

  constructor({ done, position, pending }: Checkpoint) {
    this.#done = done;
    this.#position = position;
    this.#pending = pending;
    this.#skipTo = position;
  }

  get leftOut(): LeftOut[] {
    return [...this.#leftOut.values()];
  }

  /** Everything that the target holds once what was started is committed. */
  get done(): GtidSet {
    return this.checkpoint().done;
  }

  /** Whether the target holds the transaction already, by its GTID, or by its place where it has none. */
  isDone({ gtid }: TransactionHead, startsAt: LogPosition): boolean {
    if (gtid !== undefined) return this.#done.contains(gtid);
    if (this.#skipTo === undefined) return false;
    if (startsAt.file === this.#skipTo.file) this.#isInFile = true;
    else if (this.#isInFile) this.#skipTo = undefined;
    if (this.#skipTo === undefined) return false;
    if (!this.#isInFile || startsAt.offset < this.#skipTo.offset) return true;
    this.#skipTo = undefined;
    return false;
  }

  /** What a killed replay was about to run, once. */
  takePending(): Pending | undefined {
    const pending = this.#pending;
    this.#pending = undefined;
    return pending;
  }

  /** The checkpoint with everything that was added. */
  checkpoint(pending?: Pending): Checkpoint {
    this.#done = this.#done.union(this.#collector.toSet());
    this.#collector = new GtidCollector();
    return this.#at(this.#done, this.#position, pending);
  }

  /** The checkpoint with one more transaction, which is not added by this. */
  after(head: TransactionHead | undefined, position: LogPosition): Checkpoint {
    const { done } = this.checkpoint();
    return this.#at(head?.gtid === undefined ? done : done.with(head.gtid), position);
  }

  add(head: TransactionHead | undefined, position: LogPosition): void {
    this.#position = position;
    this.transactions += 1;
    if (head === undefined) return;
    if (head.gtid !== undefined) this.#collector.add(head.gtid);
    this.lastGtid = head.gtid;
    this.lastCommitMicros = head.immediateCommitMicros;
  }

  leaveOut(head: TransactionHead | undefined, reason: string): void {
    const found = this.#leftOut.get(reason);
    if (found === undefined) this.#leftOut.set(reason, { reason, statements: 1, first: this.describe(head) });
    else found.statements += 1;
  }

  /** Names a transaction in messages. */
  describe(head: TransactionHead | undefined): string {
    if (head?.gtid !== undefined) return `transaction ${formatGtid(head.gtid)}`;
    if (head === undefined) return "the first transaction";
    return `transaction committed at ${formatMicros(head.immediateCommitMicros)}`;
  }

  #at(done: GtidSet, position: LogPosition | undefined, pending?: Pending): Checkpoint {
    return { done, position, pending, temporaryTables: this.openTemporaryTables.size > 0 };
  }
}
