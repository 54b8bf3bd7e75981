import { AppError } from "../../core/errors.ts";
import type { MysqlConnection } from "./connection.ts";
import { addIndexStatements, createTableSql } from "./ddl.ts";
import { type LoadContext, loadBlob } from "./load.ts";
import { keyOf } from "./mapping.ts";
import { quoteName, quoteTable } from "./quoting.ts";
import { renameSchema } from "./rename.ts";
import { type RestoreRecord, stepOf } from "./restore-record.ts";
import { errorNumber, toRestoreError } from "./restore-session.ts";
import { type RestoreSelection, type TableItem, targetSchemas } from "./selection.ts";
import { readTargetObjects } from "./target-objects.ts";
import type { Task } from "./task-queue.ts";

const DUPLICATE_INDEX = 1061;
/** What a row costs beyond its text, and an index for each row, in bytes of text that take as long to load (measured). */
const ROW_WEIGHT = 200;
const INDEX_WEIGHT = 80;

/** Makes schemas that are not there, with the backup's defaults. Returns those that the restore made, now or before. */
export async function createSchemas(
  connection: MysqlConnection,
  selection: RestoreSelection,
  record: RestoreRecord,
  steps: ReadonlySet<string>,
): Promise<Set<string>> {
  const present = (await readTargetObjects(connection, targetSchemas(selection))).schemas;
  const own = new Set(targetSchemas(selection).filter((name) => steps.has(stepOf.schema(name))));
  for (const name of targetSchemas(selection)) {
    if (present.has(name)) continue;
    await record.add(connection, stepOf.schema(name));
    own.add(name);
    const original = selection.schemas.find((schema) => selection.mapping.schema(schema.name) === name);
    await ddl(connection, original ? renameSchema(original.createSql, name) : `CREATE DATABASE ${quoteName(name)}`);
  }
  return own;
}

/**
 * Makes the tables that are not there, without what is added after their rows. Those that are there were made by an
 * earlier run: as long as no rows of theirs are in, they must be empty. Throws TARGET_NOT_EMPTY otherwise.
 */
export async function createTables(
  connection: MysqlConnection,
  { tables, ...selection }: RestoreSelection,
  steps: ReadonlySet<string>,
): Promise<void> {
  const present = (await readTargetObjects(connection, targetSchemas({ tables, ...selection }))).tables;
  for (const { to, parts, blobs } of tables) {
    const name = quoteTable(to.schema, to.name);
    if (!present.has(keyOf(to.schema, to.name))) {
      await ddl(connection, createTableSql(to.schema, to.name, parts), `table ${name}`);
    } else if (!blobs.some((blob) => steps.has(stepOf.piece(blob.name, 1))) && (await hasRows(connection, name))) {
      throw new AppError("TARGET_NOT_EMPTY", `the restore's own table ${name} holds rows that are not the restore's`, {
        hint: "Something writes to the target; empty the table, keep writers away and run the restore again.",
      });
    }
  }
}

/**
 * The work that fills the tables: each blob, then the indexes of its table. The tables that take longest come first, so that
 * their indexes are built while others are loaded.
 */
export function tableTasks(
  tables: readonly TableItem[],
  steps: ReadonlySet<string>,
  context: LoadContext,
): Task<MysqlConnection>[] {
  const ordered = tables.toSorted((a, b) => weightOf(b) - weightOf(a));
  return ordered.flatMap((table) => {
    const addIndexes: Task<MysqlConnection> = async (connection) => {
      await addMissingIndexes(connection, table);
      return [];
    };
    const blobs = table.blobs.filter((blob) => !steps.has(stepOf.blob(blob.name)));
    if (blobs.length === 0) return [addIndexes];
    let left = blobs.length;
    return blobs.map((blob): Task<MysqlConnection> => async (connection) => {
      await loadBlob(connection, table, blob, context);
      left--;
      return left === 0 ? [addIndexes] : [];
    });
  });
}

/** What a table costs to restore, in bytes of text that take as long to load. */
export function weightOf({ rows, plainBytes, parts }: TableItem): number {
  return plainBytes + rows * (ROW_WEIGHT + INDEX_WEIGHT * parts.indexes.length);
}

async function addMissingIndexes(connection: MysqlConnection, { to, parts }: TableItem): Promise<void> {
  const name = quoteTable(to.schema, to.name);
  const rows =
    parts.indexes.length === 0
      ? []
      : await connection.query<"name">(
          "SELECT DISTINCT index_name AS name FROM information_schema.statistics WHERE table_schema = ? AND table_name = ?",
          [to.schema, to.name],
        );
  const present = new Set(rows.map((row) => row.name));
  const missing = parts.indexes.filter((index) => !present.has(index.name));
  for (const statement of addIndexStatements(name, missing)) {
    try {
      await ddl(connection, statement, `indexes of ${name}`);
    } catch (error: unknown) {
      // The statement of an interrupted run can end after this one looked.
      if (errorNumber(error) !== DUPLICATE_INDEX) throw error;
    }
  }
}

async function hasRows(connection: MysqlConnection, table: string): Promise<boolean> {
  return (await connection.query(`SELECT 1 AS found FROM ${table} LIMIT 1`)).length > 0;
}

async function ddl(connection: MysqlConnection, sql: string, what = "a schema"): Promise<void> {
  try {
    await connection.execute(sql);
  } catch (error: unknown) {
    throw toRestoreError(error, what);
  }
}
