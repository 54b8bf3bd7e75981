import type { LoggedStatement } from "./logged-statement.ts";
import type { TableName } from "../mapping.ts";
import { groupRows, type LoggedRows, rowStatement } from "./row-statements.ts";

/** A statement inside a transaction, as it is to be run. */
export interface PlannedStatement {
  statement: LoggedStatement;
  sql: Buffer;
  schema: string;
}

export type Step = LoggedRows | PlannedStatement;

/** What is sent to the target as one statement: a BINLOG statement, or a logged one. */
export type TargetStep = Buffer | PlannedStatement;

/**
 * The steps of transactions that wait to be applied: those of transactions that are complete, then those of the one that is
 * being read.
 */
export class Batch {
  #steps: Step[] = [];
  #completeSteps = 0;
  /** Bytes of events of complete transactions. */
  completeBytes = 0;
  /** Complete transactions, also those without a step. */
  transactions = 0;
  /** Bytes of events of the transaction that is being read. */
  currentBytes = 0;

  add(step: Step): void {
    this.#steps.push(step);
    this.currentBytes += "event" in step ? step.event.size : step.sql.length;
  }

  /** Tables on the target that the transaction that is being read writes, each once. */
  currentTables(): TableName[] {
    const tables = this.#steps.slice(this.#completeSteps).map((step) => ("event" in step ? step.table.to : undefined));
    return [...new Set(tables)].filter((table) => table !== undefined);
  }

  /** The transaction that was being read is complete. */
  complete(): void {
    this.#completeSteps = this.#steps.length;
    this.completeBytes += this.currentBytes;
    this.currentBytes = 0;
    this.transactions += 1;
  }

  /** Takes the complete transactions out. */
  takeComplete(maxStatementBytes: number): TargetStep[] {
    const taken = this.#steps.slice(0, this.#completeSteps);
    this.#steps = this.#steps.slice(this.#completeSteps);
    this.#completeSteps = 0;
    this.completeBytes = 0;
    this.transactions = 0;
    return [...toTargetSteps(taken, maxStatementBytes)];
  }

  /** Takes out what there is of the transaction that is being read; only where none waits before it. */
  takeCurrent(maxStatementBytes: number): TargetStep[] {
    const taken = this.#steps;
    this.#steps = [];
    this.currentBytes = 0;
    return [...toTargetSteps(taken, maxStatementBytes)];
  }
}

function* toTargetSteps(steps: readonly Step[], maxStatementBytes: number): Generator<TargetStep> {
  let rows: LoggedRows[] = [];
  for (const step of steps) {
    if ("event" in step) {
      rows.push(step);
      continue;
    }
    yield* statementsOf(rows, maxStatementBytes);
    rows = [];
    yield step;
  }
  yield* statementsOf(rows, maxStatementBytes);
}

function* statementsOf(rows: readonly LoggedRows[], maxStatementBytes: number): Generator<Buffer> {
  for (const group of groupRows(rows, maxStatementBytes)) yield rowStatement(group);
}
