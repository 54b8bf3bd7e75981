import { GtidCollector, type GtidSet } from "../gtid-set.ts";
import type { TransactionHead } from "./gtid-event.ts";
import type { FileOffset, LogRun } from "./log-position.ts";

/** What lies in the log between two calls of `LogTracker.takeStretch`. */
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

/** One that still grows. */
export class OpenStretch {
  readonly runs: LogRun[] = [];
  formatDescription: Buffer | undefined;
  resumesTransaction = false;
  readonly #collector = new GtidCollector();
  #transactions = 0;
  #firstCommitMicros: bigint | undefined;
  #lastCommitMicros: bigint | undefined;

  /** `formatDescription`: the one that holds for its first byte. */
  constructor(formatDescription: Buffer | undefined) {
    this.formatDescription = formatDescription;
  }

  /** The transactions that ended in it. */
  get added(): GtidSet {
    return this.#collector.toSet();
  }

  /** A transaction ends. */
  add({ gtid, immediateCommitMicros }: TransactionHead): void {
    if (gtid !== undefined) this.#collector.add(gtid);
    this.#transactions += 1;
    this.#firstCommitMicros ??= immediateCommitMicros;
    const last = this.#lastCommitMicros;
    if (last === undefined || immediateCommitMicros > last) this.#lastCommitMicros = immediateCommitMicros;
  }

  close(place: Pick<Stretch, "unfinishedBytes" | "boundary" | "end">): Stretch {
    return {
      ...place,
      runs: this.runs,
      added: this.added,
      transactions: this.#transactions,
      firstCommitMicros: this.#firstCommitMicros,
      lastCommitMicros: this.#lastCommitMicros,
      formatDescription: this.formatDescription,
      resumesTransaction: this.resumesTransaction,
    };
  }
}
