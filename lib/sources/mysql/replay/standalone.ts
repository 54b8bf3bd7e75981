import { AppError } from "../../../core/errors.ts";
import { errorNumber } from "../restore-session.ts";
import { isKeyword, isName, type Token } from "../tokens.ts";
import type { Applier } from "./applier.ts";
import type { PlannedStatement } from "./batch.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { isTemporaryTable } from "./logged-statement.ts";
import { definitionHash, namesIn } from "./pending.ts";
import type { Progression } from "./progression.ts";

const UNKNOWN_XID = 1397;

/** Runs what commits by itself, so that a replay that is killed at any instant knows whether it ran. */
export class StandaloneStatements {
  readonly #applier: Applier;
  readonly #progress: Progression;

  constructor(applier: Applier, progress: Progression) {
    this.#applier = applier;
    this.#progress = progress;
  }

  /** Runs a statement between its two checkpoints. */
  async run(planned: PlannedStatement, tokens: readonly Token[], done: () => Checkpoint): Promise<void> {
    await this.open(planned, tokens);
    this.#noteTemporaryTables(planned, tokens);
    await this.#applier.note(done());
  }

  /** Notes what is about to run, and runs it; the caller notes that it is done. */
  async open({ statement, sql, schema }: PlannedStatement, tokens: readonly Token[]): Promise<void> {
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

  #noteTemporaryTables({ statement, schema }: PlannedStatement, tokens: readonly Token[]): void {
    const action = isTemporaryTable(tokens);
    if (action === undefined) return;
    const table = tokens.findIndex((token) => isKeyword(token, "TABLE"));
    const names = tokens.slice(table + 1).filter(isName);
    const wanted = names.filter((token) => !["IF", "NOT", "EXISTS"].some((word) => isKeyword(token, word)));
    // A name with its schema is two tokens; the last one of each is the table.
    const tables = wanted.filter((token) => tokens[tokens.indexOf(token) + 1]?.text !== ".");
    for (const { text } of action === "create" ? tables.slice(0, 1) : tables) {
      const key = `${statement.query.threadId} ${schema} ${text}`;
      if (action === "create") this.#progress.openTemporaryTables.add(key);
      else this.#progress.openTemporaryTables.delete(key);
    }
  }
}

function preparedBefore(what: string, cause: unknown): AppError {
  return new AppError("RESTORE_FAILED", `${what} commits an XA transaction that was prepared before the backup`, {
    hint: "Its rows are in an earlier part of the log: restore from the backup before this one.",
    cause,
  });
}
