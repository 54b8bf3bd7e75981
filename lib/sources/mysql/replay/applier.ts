import { AppError } from "../../../core/errors.ts";
import type { MysqlConnection } from "../connection.ts";
import type { TargetStep } from "./batch.ts";
import type { Checkpoint, CheckpointTable, Pending } from "./checkpoint.ts";
import { isApplied } from "./pending.ts";
import type { TargetSession } from "./target-session.ts";

/** The target's side of a replay: what is applied, in which transactions, and the checkpoint in each. */
export interface ApplierOptions {
  session: TargetSession;
  /** For looking at the target while the session is busy. */
  queries: MysqlConnection;
  checkpoints: CheckpointTable;
  /** max_allowed_packet of the target. */
  packetBytes: number;
}

export class Applier {
  readonly session: TargetSession;
  readonly queries: MysqlConnection;
  readonly #checkpoints: CheckpointTable;
  readonly #packetBytes: number;
  #running: Promise<void> = Promise.resolve();

  constructor({ session, queries, checkpoints, packetBytes }: ApplierOptions) {
    this.session = session;
    this.queries = queries;
    this.#checkpoints = checkpoints;
    this.#packetBytes = packetBytes;
  }

  /** Waits for what was started, and throws what it failed with. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Applies the steps as one transaction, with the checkpoint. Resolves when it is started: the log is read meanwhile. */
  async transaction(steps: readonly TargetStep[], checkpoint: Checkpoint): Promise<void> {
    await this.#start(async () => {
      await this.session.channel.run("BEGIN");
      await this.#apply(steps);
      await this.session.channel.run(this.#checkpoints.update(checkpoint));
      await this.session.channel.run("COMMIT");
    });
  }

  /** Applies steps in the transaction that is open. Resolves when it is started. */
  async steps(steps: readonly TargetStep[]): Promise<void> {
    await this.#start(() => this.#apply(steps));
  }

  /** Runs one statement of ours to its end. */
  async command(sql: string): Promise<void> {
    await this.#running;
    await this.session.channel.run(sql);
  }

  /** Notes a checkpoint: in the transaction that is open, else by itself. */
  async note(checkpoint: Checkpoint): Promise<void> {
    await this.command(this.#checkpoints.update(checkpoint));
  }

  /** Whether what a killed replay was about to run did run. */
  async wasApplied(pending: Pending): Promise<boolean> {
    await this.#running;
    return isApplied(this.queries, pending);
  }

  async #start(work: () => Promise<void>): Promise<void> {
    await this.#running;
    this.#running = work();
    // Whoever waits next gets the failure; until then it must not end the process.
    this.#running.catch(() => {});
  }

  async #apply(steps: readonly TargetStep[]): Promise<void> {
    for (const step of steps) {
      if (Buffer.isBuffer(step)) {
        this.#assertFits(step.length);
        await this.session.channel.run(step);
      } else {
        await this.session.run(step.statement, step.sql, step.schema);
      }
    }
  }

  #assertFits(bytes: number): void {
    if (bytes < this.#packetBytes) return;
    throw new AppError(
      "TARGET_UNSUITABLE",
      `a logged row needs a packet of ${bytes} bytes, and the target's max_allowed_packet is ${this.#packetBytes}`,
      { hint: "Set max_allowed_packet to 1073741824 on the target, and run the same restore again: it goes on." },
    );
  }
}
