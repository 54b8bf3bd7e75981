import { AppError } from "../../../core/errors.ts";
import { quoteTable } from "../quoting.ts";
import { errorNumber } from "../restore-session.ts";
import { isKeyword, type Token } from "../tokens.ts";
import type { Applier } from "./applier.ts";
import type { PlannedStatement } from "./batch.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { isTemporaryTable } from "./logged-statement.ts";
import { definitionHash, namesIn } from "./pending.ts";
import type { Progression } from "./progression.ts";
import { tablesOf } from "./statement-tables.ts";

const UNKNOWN_XID = 1397;

/** Runs what commits by itself, so that a replay that is killed at any instant knows whether it ran. */
export class StandaloneStatements {
  readonly #applier: Applier;
  readonly #progress: Progression;
  readonly #beforeSchema: (name: string) => Promise<void>;

  constructor(applier: Applier, progress: Progression, beforeSchema: (name: string) => Promise<void>) {
    this.#applier = applier;
    this.#progress = progress;
    this.#beforeSchema = beforeSchema;
  }

  /** Runs a statement between its two checkpoints. */
  async run(planned: PlannedStatement, tokens: readonly Token[], done: () => Checkpoint): Promise<void> {
    const action = isTemporaryTable(tokens);
    const tables = action === undefined ? [] : temporaryTables(planned, tokens);
    const open = this.#progress.openTemporaryTables;
    // The server drops a session's tables at its end, also those that were made before the backup.
    if (action !== "drop" || tables.some((table) => open.has(table))) await this.open(planned, tokens);
    for (const table of tables) {
      if (action === "create") open.add(table);
      else open.delete(table);
    }
    await this.#applier.note(done());
  }

  /** Notes what is about to run, and runs it; the caller notes that it is done. */
  async open({ statement, sql, schema }: PlannedStatement, tokens: readonly Token[]): Promise<void> {
    if (makesSchema(tokens)) await this.#beforeSchema(schema);
    const names = namesIn(tokens);
    const hash = await definitionHash(this.#applier.queries, names);
    await this.#applier.note(this.#progress.checkpoint({ kind: "definition", hash, names }));
    await this.#applier.session.run(statement, sql, schema);
    if (isKeyword(tokens[0], "DROP")) this.#applier.session.forgetSchema();
  }

  /** The second phase of an XA transaction. */
  async finishXa(role: "xa-commit" | "xa-rollback", xid: string, what: string, done: Checkpoint): Promise<void> {
    await this.#applier.note(this.#progress.checkpoint({ kind: "xa-end", xid }));
    try {
      await this.#applier.command(`XA ${role === "xa-commit" ? "COMMIT" : "ROLLBACK"} ${xid}`);
    } catch (error: unknown) {
      if (errorNumber(error) !== UNKNOWN_XID) throw error;
      if (role === "xa-commit") throw preparedBefore(what, error);
    }
    await this.#applier.note(done);
  }
}

/** Such a statement is logged with the schema that it makes as its default one. */
function makesSchema([verb, object]: readonly Token[]): boolean {
  return isKeyword(verb, "CREATE") && (isKeyword(object, "DATABASE") || isKeyword(object, "SCHEMA"));
}

/** The temporary tables that a statement makes or drops, each with its thread. */
function temporaryTables({ statement, schema }: PlannedStatement, tokens: readonly Token[]): string[] {
  const tables = (tablesOf(tokens, schema) ?? []).slice(0, isKeyword(tokens[0], "CREATE") ? 1 : undefined);
  return tables.map((table) => `${statement.query.threadId} ${quoteTable(table.schema, table.name)}`);
}

function preparedBefore(what: string, cause: unknown): AppError {
  return new AppError("RESTORE_FAILED", `${what} commits an XA transaction that was prepared before the backup`, {
    hint: "Its rows are in an earlier part of the log: restore from the backup before this one.",
    cause,
  });
}
