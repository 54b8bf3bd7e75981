import { createHash } from "node:crypto";
import { AppError } from "../../core/errors.ts";
import type { MysqlConnection } from "./connection.ts";
import { quoteList, quoteName } from "./quoting.ts";
import { errorNumber } from "./restore-session.ts";

/*
 * What a restore has done so far, kept on the target in a schema of its own, so that the next run with the same backup and
 * the same names goes on: absent → begun → (replaying →) removed.
 *
 * `begun` is written after the target was found free of everything that the restore makes, together with the names of all
 * that: from then on, objects of these names are the restore's own. A step of rows is inserted first in the transaction of
 * its rows: a second run that comes to the same rows waits until the first one's transaction is over, and then either finds
 * the step or may do it.
 *
 * What the log makes has no steps, but for schemas. So once `replaying` is written, all that stands in a schema that the
 * restore made or found empty is its own.
 */

const DUPLICATE_KEY = 1062;
const NO_SUCH_DATABASE = 1049;
const NO_SUCH_TABLE = 1146;
/** How long the session of a killed run may take to end. */
const LOCK_SECONDS = 30;

export const RECORD_PREFIX = "resguardo_restore_";

export interface RecordIdentity {
  backupId: string;
  rename: ReadonlyMap<string, string>;
  only?: readonly string[];
  users: boolean;
  instant?: { to: string };
}

/** A step as text: its kind and the names that it is about. */
const step = (...parts: (string | number)[]): string => JSON.stringify(parts);

export const stepOf = {
  begun: (source: string): string => step("begun", source),
  /** The restore makes this object; none of that name was there before. */
  made: (kind: MadeKind, schema: string, name: string): string => step(kind, schema, name),
  /** Written before the schema is made: it did not exist. */
  schema: (name: string): string => step("schema", name),
  /** The schema was there and held nothing. */
  emptySchema: (name: string): string => step("empty-schema", name),
  /** Written before the account is made: it did not exist. */
  user: (user: string, host: string): string => step("user", user, host),
  /** A stretch of a blob's rows is in. */
  piece: (blob: string, number: number): string => step("piece", blob, number),
  /** All rows of a blob are in. */
  blob: (blob: string): string => step("blob", blob),
  /** Everything is loaded and was compared; from now on the log changes it. */
  replaying: step("replaying"),
  /** Written before a global variable is switched on; it was off. */
  setting: (name: string): string => step("setting", name),
};

export type MadeKind = "table" | "view" | "procedure" | "function" | "library" | "event";

/** The parts of a step's text. */
export function readStep(text: string): string[] {
  const parts: unknown = JSON.parse(text);
  return Array.isArray(parts) ? parts.map(String) : [];
}

/** The name of the schema that keeps a restore's record. */
export function recordSchema({ backupId, rename, only, users, instant }: RecordIdentity): string {
  const names = [...rename].map((pair) => JSON.stringify(pair)).toSorted();
  const identity = JSON.stringify([
    backupId,
    names,
    only === undefined ? null : only.toSorted(),
    users,
    instant?.to ?? null,
  ]);
  return RECORD_PREFIX + createHash("sha256").update(identity).digest("hex").slice(0, 16);
}

export class RestoreRecord {
  readonly #schema: string;
  readonly #table: string;

  constructor(schema: string) {
    this.#schema = schema;
    this.#table = `${quoteName(schema)}.steps`;
  }

  /** Keeps other runs of the same restore away until `connection` ends. Throws LEASE_HELD. */
  async lock(connection: MysqlConnection): Promise<void> {
    if (await this.tryLock(connection, LOCK_SECONDS)) return;
    throw new AppError("LEASE_HELD", "another run of the same restore is at work on the target", {
      hint: "Wait until it is done, or end it; then run the restore again, and it goes on where that one stopped.",
    });
  }

  async tryLock(connection: MysqlConnection, seconds: number): Promise<boolean> {
    const [row] = await connection.query<"locked">("SELECT GET_LOCK(?, ?) AS locked", [this.#schema, seconds]);
    return row?.locked === "1";
  }

  /** The steps done; undefined where no run has begun. */
  async read(connection: MysqlConnection): Promise<Set<string> | undefined> {
    try {
      const rows = await connection.query<"step">(`SELECT step FROM ${this.#table}`);
      const steps = new Set(rows.map((row) => row.step ?? ""));
      return [...steps].some((text) => readStep(text)[0] === "begun") ? steps : undefined;
    } catch (error: unknown) {
      const number = errorNumber(error);
      if (number === NO_SUCH_DATABASE || number === NO_SUCH_TABLE) return undefined;
      throw error;
    }
  }

  /** Makes the record, with all names that the restore is going to make. */
  async begin(connection: MysqlConnection, source: string, made: readonly string[]): Promise<Set<string>> {
    await connection.execute(`CREATE DATABASE IF NOT EXISTS ${quoteName(this.#schema)}`);
    await connection.execute(
      `CREATE TABLE IF NOT EXISTS ${this.#table} (step VARBINARY(1000) NOT NULL PRIMARY KEY, taken BIGINT) ENGINE = InnoDB`,
    );
    await connection.execute("START TRANSACTION");
    const steps = new Set([stepOf.begun(source), ...made]);
    for (const text of steps) await this.add(connection, text);
    await connection.execute("COMMIT");
    return steps;
  }

  /** Notes a step, in the transaction that is open. False where it was noted before. */
  async add(connection: MysqlConnection, text: string): Promise<boolean> {
    try {
      await connection.execute(`INSERT INTO ${this.#table} (step) VALUES (?)`, [text]);
      return true;
    } catch (error: unknown) {
      if (errorNumber(error) === DUPLICATE_KEY) return false;
      throw error;
    }
  }

  /** Takes back steps whose rows are gone. */
  async forget(connection: MysqlConnection, texts: readonly string[]): Promise<void> {
    await connection.execute(`DELETE FROM ${this.#table} WHERE step IN (${quoteList(texts)})`);
  }

  async setRows(connection: MysqlConnection, text: string, rows: number): Promise<void> {
    await connection.execute(`UPDATE ${this.#table} SET taken = ? WHERE step = ?`, [rows, text]);
  }

  /** The rows of a piece that is in. */
  async rowsOf(connection: MysqlConnection, text: string): Promise<number> {
    const [row] = await connection.query<"taken">(`SELECT taken FROM ${this.#table} WHERE step = ?`, [text]);
    return Number(row?.taken);
  }

  async drop(connection: MysqlConnection): Promise<void> {
    await connection.execute(`DROP DATABASE IF EXISTS ${quoteName(this.#schema)}`);
  }
}
