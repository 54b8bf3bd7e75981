import { createHash } from "node:crypto";
import type { MysqlConnection } from "./connection.ts";
import { quoteName } from "./quoting.ts";
import { errorNumber } from "./restore-session.ts";

/*
 * What a restore has done so far, kept on the target in a schema of its own, so that the next run with the same backup and
 * the same names goes on. absent → begun → removed.
 *
 * `begun` is written after the target was found free of everything that the restore makes: from then on, objects of these
 * names are the restore's own. A step of rows is inserted first in the transaction of its rows: a second run that
 * comes to the same part waits until the first one's transaction is over, and then finds the step or may do it.
 */

const DUPLICATE_KEY = 1062;
const NO_SUCH_DATABASE = 1049;
const NO_SUCH_TABLE = 1146;
const BEGUN = "begun";

export const RECORD_PREFIX = "resguardo_restore_";

export interface RecordIdentity {
  backupId: string;
  rename: ReadonlyMap<string, string>;
  only?: readonly string[];
  users: boolean;
}

export class RestoreRecord {
  readonly schema: string;
  readonly #table: string;

  constructor(identity: RecordIdentity) {
    const { backupId, rename, only, users } = identity;
    const parts = [backupId, [...rename].toSorted(), only === undefined ? null : only.toSorted(), users];
    const hash = createHash("sha256").update(JSON.stringify(parts)).digest("hex");
    this.schema = `${RECORD_PREFIX}${hash.slice(0, 16)}`;
    this.#table = `${quoteName(this.schema)}.steps`;
  }

  /** The steps of an interrupted run; undefined where there is none. */
  async read(connection: MysqlConnection): Promise<Set<string> | undefined> {
    try {
      const rows = await connection.query<"step">(`SELECT step FROM ${this.#table}`);
      const steps = new Set(rows.map(({ step }) => step ?? ""));
      return steps.has(BEGUN) ? steps : undefined;
    } catch (error: unknown) {
      const number = errorNumber(error);
      if (number === NO_SUCH_DATABASE || number === NO_SUCH_TABLE) return undefined;
      throw error;
    }
  }

  /** Makes the record; only after the target was found free. */
  async begin(connection: MysqlConnection): Promise<void> {
    await connection.execute(`CREATE DATABASE IF NOT EXISTS ${quoteName(this.schema)}`);
    await connection.execute(
      `CREATE TABLE IF NOT EXISTS ${this.#table} (step VARBINARY(700) NOT NULL PRIMARY KEY) ENGINE = InnoDB`,
    );
    await this.add(connection, BEGUN);
  }

  /** Notes a step, in the transaction that is open. False where it was noted before. */
  async add(connection: MysqlConnection, step: string): Promise<boolean> {
    try {
      await connection.execute(`INSERT INTO ${this.#table} (step) VALUES (?)`, [step]);
      return true;
    } catch (error: unknown) {
      if (errorNumber(error) === DUPLICATE_KEY) return false;
      throw error;
    }
  }

  async drop(connection: MysqlConnection): Promise<void> {
    await connection.execute(`DROP DATABASE IF EXISTS ${quoteName(this.schema)}`);
  }
}

export const stepOf = {
  part: (blob: string): string => `part ${blob}`,
  /** Rows of a table whose engine has no transactions, all at once. */
  rows: (schema: string, table: string): string => `rows ${quoteName(schema)}.${quoteName(table)}`,
  /** Written before the schema is made: it did not exist. */
  schema: (name: string): string => `schema ${name}`,
  /** Written before the account is made: it did not exist. */
  user: (user: string, host: string): string => `user ${quoteName(user)}@${quoteName(host)}`,
  /** Written before a global variable is changed; its old value is the end of the step. */
  setting: (name: string): string => `setting ${name}`,
};
