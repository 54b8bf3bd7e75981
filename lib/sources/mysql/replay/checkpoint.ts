import { AppError } from "../../../core/errors.ts";
import type { MysqlConnection } from "../connection.ts";
import { GtidSet } from "../gtid-set.ts";
import { quoteName, quoteTable } from "../quoting.ts";
import { errorNumber } from "../restore-session.ts";

/*
 * How far a replay came, in one row on the target. It is written in the transaction of the rows that it speaks of, so both
 * are there or neither.
 *
 * What commits by itself (DDL, XA) can't have that. Before it, `pending` is written: what is about to run, and by what one
 * will see whether it ran; after it, the row without `pending`. A replay that finds `pending` looks first.
 */

/** Where a transaction ends in the source's log. */
export interface LogPosition {
  file: string;
  offset: number;
}

export interface Checkpoint {
  /** Everything that the target holds. */
  done: GtidSet;
  /** End of the last transaction that was replayed. */
  position: LogPosition | undefined;
  pending: Pending | undefined;
  /** Temporary tables are open: they go with their connection, so such a replay can't go on. */
  temporaryTables: boolean;
}

export type Pending =
  /** Hash of the definitions of everything that the statement names, before it ran. */
  | { kind: "definition"; hash: string; names: string[] }
  /** Data of XA RECOVER: listed once it is prepared. */
  | { kind: "xa-prepare"; xid: string }
  /** Tables without transactions are written: nothing tells what of it is there. */
  | { kind: "unrepeatable" }
  /** No more listed once it is over. */
  | { kind: "xa-end"; xid: string };

const NO_SUCH_DATABASE = 1049;
const NO_SUCH_TABLE = 1146;
const TABLE = "replay";

/** The row, in a schema of the restore's own. */
export class CheckpointTable {
  readonly #schema: string;
  readonly #name: string;

  constructor(schema: string) {
    this.#schema = schema;
    this.#name = quoteTable(schema, TABLE);
  }

  /** Undefined where no replay began. */
  async read(connection: MysqlConnection): Promise<Checkpoint | undefined> {
    try {
      const [row] = await connection.query<"done" | "file" | "position" | "pending" | "temporary_tables">(
        `SELECT done, file, position, pending, temporary_tables FROM ${this.#name}`,
      );
      if (row === undefined) return undefined;
      return {
        done: GtidSet.parse(row.done ?? ""),
        position: row.file === null ? undefined : { file: row.file, offset: Number(row.position) },
        pending: row.pending === null ? undefined : readPending(row.pending),
        temporaryTables: row.temporary_tables === "1",
      };
    } catch (error: unknown) {
      const number = errorNumber(error);
      if (number === NO_SUCH_DATABASE || number === NO_SUCH_TABLE) return undefined;
      throw error;
    }
  }

  async create(connection: MysqlConnection, checkpoint: Checkpoint): Promise<void> {
    await connection.execute(`CREATE DATABASE IF NOT EXISTS ${quoteName(this.#schema)}`);
    await connection.execute(
      `CREATE TABLE IF NOT EXISTS ${this.#name} (
        id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
        done LONGTEXT CHARACTER SET ascii NOT NULL,
        file VARCHAR(512) CHARACTER SET utf8mb4,
        position BIGINT UNSIGNED,
        pending LONGTEXT CHARACTER SET utf8mb4,
        temporary_tables TINYINT UNSIGNED NOT NULL
      ) ENGINE = InnoDB`,
    );
    // A row without what the target holds would let the next run replay all of it again.
    await connection.execute("START TRANSACTION");
    await connection.execute(`INSERT INTO ${this.#name} (id, done, temporary_tables) VALUES (1, '', 0)`);
    await connection.execute(this.update(checkpoint));
    await connection.execute("COMMIT");
  }

  /** The statement that notes a checkpoint; ASCII without escapes, so that it means the same in every session. */
  update({ done, position, pending, temporaryTables }: Checkpoint): string {
    const place = position === undefined ? "NULL" : hexText(position.file);
    const waiting = pending === undefined ? "NULL" : hexText(JSON.stringify(pending));
    return `UPDATE ${this.#name} SET done = '${done.toString()}', file = ${place}, position = ${position?.offset ?? "NULL"}, pending = ${waiting}, temporary_tables = ${Number(temporaryTables)} WHERE id = 1`;
  }

  async drop(connection: MysqlConnection): Promise<void> {
    await connection.execute(`DROP TABLE IF EXISTS ${this.#name}`);
  }
}

function hexText(text: string): string {
  return text === "" ? "''" : `_utf8mb4 X'${Buffer.from(text).toString("hex")}'`;
}

function readPending(text: string): Pending {
  const value: unknown = JSON.parse(text);
  const field = (name: string): unknown =>
    typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  const [kind, hash, names, xid] = [field("kind"), field("hash"), field("names"), field("xid")];
  if (kind === "definition" && typeof hash === "string" && Array.isArray(names)) {
    return { kind, hash, names: names.map(String) };
  }
  if ((kind === "xa-prepare" || kind === "xa-end") && typeof xid === "string") return { kind, xid };
  if (kind === "unrepeatable") return { kind };
  throw new AppError("RESTORE_FAILED", "the replay's checkpoint on the target was changed by somebody", {
    hint: "Start the restore again from the backup.",
  });
}
