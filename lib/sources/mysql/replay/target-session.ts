import { AppError } from "../../../core/errors.ts";
import type { MysqlConnection } from "../connection.ts";
import { quoteName } from "../quoting.ts";
import { errorNumber } from "../restore-session.ts";
import type { LoggedStatement } from "./logged-statement.ts";
import { SessionState, sessionClauses } from "./session-state.ts";
import { type CollationName, contextStatement } from "./statement-context.ts";
import type { StatementChannel } from "./statement-channel.ts";

const NO_SUCH_DATABASE = 1049;
const UNKNOWN_VARIABLE = 1193;

/** Runs logged statements, each under the session that it was logged with. */
export class TargetSession {
  readonly channel: StatementChannel;
  readonly #collations: ReadonlyMap<number, CollationName>;
  readonly #state = new SessionState();
  readonly #unknownHere = new Set<string>();
  #schema = "";
  #threadId = -1;

  constructor(channel: StatementChannel, collations: ReadonlyMap<number, CollationName>) {
    this.channel = channel;
    this.#collations = collations;
  }

  /**
   * Runs a logged statement. One that failed on the source is expected to fail with the same error here.
   * Throws the SOURCE_… codes.
   */
  async run(statement: LoggedStatement, sql: Buffer, schema: string): Promise<void> {
    const { query, context } = statement;
    if (!statement.suppressUse) await this.#use(schema);
    await this.#setState(statement);
    for (const event of context) {
      await this.channel.run(contextStatement(event, (id) => this.#collation(id)));
    }
    const { file } = statement;
    const send = (): Promise<void> => (file === undefined ? this.channel.run(sql) : this.channel.load(sql, file));
    await this.#runExpecting(query.errorCode, send);
  }

  async #runExpecting(errorCode: number, send: () => Promise<void>): Promise<void> {
    if (errorCode === 0) return send();
    try {
      await send();
    } catch (error: unknown) {
      if (errorNumber(error) !== errorCode) throw error;
    }
  }

  async #setState({ query, timestamp }: LoggedStatement): Promise<void> {
    const { session, threadId } = query;
    if (session.unknownCode !== undefined) {
      throw new AppError(
        "SOURCE_UNSUPPORTED",
        `a logged statement's session has a variable of unknown code ${session.unknownCode}`,
        { hint: "The source is newer than this program: update the program." },
      );
    }
    const clauses = sessionClauses(session).filter(([name]) => !this.#unknownHere.has(name));
    const change = this.#state.change(clauses);
    if (change !== undefined) await this.#setOrLeaveOut(change, clauses);
    const micros = String(session.microseconds ?? 0).padStart(6, "0");
    const clock = `SET timestamp = ${timestamp}.${micros}`;
    // Temporary tables belong to a thread, and the name of CONNECTION_ID() is logged with it.
    const thread = threadId === this.#threadId ? "" : `, pseudo_thread_id = ${threadId}`;
    await this.channel.run(clock + thread);
    this.#threadId = threadId;
  }

  /** Versions differ in a few variables; one that this server lacks is left out from then on. */
  async #setOrLeaveOut(change: string, clauses: [string, string][]): Promise<void> {
    try {
      await this.channel.run(change);
    } catch (error: unknown) {
      if (errorNumber(error) !== UNKNOWN_VARIABLE) throw error;
      this.#state.forget();
      for (const clause of clauses) await this.#setOne(clause);
    }
  }

  async #setOne(clause: [string, string]): Promise<void> {
    try {
      const set = this.#state.change([clause]);
      if (set !== undefined) await this.channel.run(set);
    } catch (error: unknown) {
      if (errorNumber(error) !== UNKNOWN_VARIABLE) throw error;
      this.#unknownHere.add(clause[0]);
    }
  }

  /** A default schema that is gone, or that is not restored, does no harm to a statement that does not need it. */
  async #use(schema: string): Promise<void> {
    if (schema === "" || schema === this.#schema) return;
    // The name is read in the session's character set.
    await this.channel.run("SET character_set_client = utf8mb4");
    this.#state.forget();
    try {
      await this.channel.run(`USE ${quoteName(schema)}`);
      this.#schema = schema;
    } catch (error: unknown) {
      if (errorNumber(error) !== NO_SUCH_DATABASE) throw error;
    }
  }

  /** The default schema may be gone after this. */
  forgetSchema(): void {
    this.#schema = "";
  }

  #collation(id: number): CollationName {
    const found = this.#collations.get(id);
    if (found !== undefined) return found;
    throw new AppError("TARGET_UNSUITABLE", `the target does not know the collation of number ${id}`, {
      hint: "Restore to a server of the source's version.",
    });
  }
}

/** Collations by their number. */
export async function readCollations(connection: MysqlConnection): Promise<Map<number, CollationName>> {
  const rows = await connection.query<"id" | "charset" | "collation">(
    "SELECT id, character_set_name AS charset, collation_name AS collation FROM information_schema.collations",
  );
  return new Map(
    rows.map(({ id, charset, collation }) => [Number(id), { charset: charset ?? "", collation: collation ?? "" }]),
  );
}
