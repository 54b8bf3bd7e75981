import { AppError } from "../../core/errors.ts";
import type { BlobRecord } from "../../vault/manifest.ts";
import type { MysqlConnection } from "./connection.ts";
import { addIndexStatements, createTableSql } from "./ddl.ts";
import { type LoadContext, loadBlob } from "./load.ts";
import { keyOf } from "./mapping.ts";
import { quoteName, quoteTable } from "./quoting.ts";
import { renameSchema } from "./rename.ts";
import { readStep, type RestoreRecord, stepOf } from "./restore-record.ts";
import { errorNumber, toRestoreError } from "./restore-session.ts";
import { type RestoreSelection, type TableItem, targetSchemas } from "./selection.ts";
import { holdsAnything } from "./target-free.ts";
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
  const objects = await readTargetObjects(connection, targetSchemas(selection));
  const own = new Set(targetSchemas(selection).filter((name) => steps.has(stepOf.schema(name))));
  for (const name of targetSchemas(selection)) {
    if (objects.schemas.has(name)) {
      if (!own.has(name) && !holdsAnything(objects, name)) await record.add(connection, stepOf.emptySchema(name));
      continue;
    }
    await record.add(connection, stepOf.schema(name));
    own.add(name);
    const original = selection.schemas.find((schema) => selection.mapping.schema(schema.name) === name);
    await ddl(connection, original ? renameSchema(original.createSql, name) : `CREATE DATABASE ${quoteName(name)}`);
  }
  return own;
}

/**
 * Makes the tables that are not there, without what is added after their rows. Those that are there were made by an
 * earlier run: they hold rows exactly when the record says so. Where the record says so and the rows are gone, as somebody
 * dropped or emptied the table in between, its steps are taken out of `done`. Throws TARGET_NOT_EMPTY for rows of others.
 */
export async function createTables(
  connection: MysqlConnection,
  selection: RestoreSelection,
  record: RestoreRecord,
  done: Set<string>,
): Promise<void> {
  const present = (await readTargetObjects(connection, targetSchemas(selection))).tables;
  const rowSteps = groupRowSteps(done);
  for (const { to, parts, blobs } of selection.tables) {
    const name = quoteTable(to.schema, to.name);
    const isThere = present.has(keyOf(to.schema, to.name));
    const isFilled = isThere && (await hasRows(connection, name));
    let steps = blobs.flatMap((blob) => rowSteps.get(blob.name) ?? []);
    if (isFilled && steps.length === 0) steps = await lateSteps(connection, record, blobs, done);
    if (isFilled && steps.length === 0) {
      throw new AppError("TARGET_NOT_EMPTY", `the restore's own table ${name} holds rows that are not the restore's`, {
        hint: "Something writes to the target; empty the table, keep writers away and run the restore again.",
      });
    }
    const isEmptied = isThere && !isFilled && steps.length > 0;
    if (!isFilled && steps.length > 0) {
      await record.forget(connection, steps);
      for (const step of steps) done.delete(step);
    }
    // Made anew, as an emptied table can have its triggers by now, and has lost its counter.
    if (isEmptied) await ddl(connection, `DROP TABLE ${name}`, `table ${name}`);
    if (!isThere || isEmptied) await ddl(connection, createTableSql(to.schema, to.name, parts), `table ${name}`);
  }
}

/** The steps that say that rows are in, by the blob that these came from. */
function groupRowSteps(done: ReadonlySet<string>): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const text of done) {
    const [kind, blob = ""] = readStep(text);
    if (kind !== "piece" && kind !== "blob") continue;
    const group = groups.get(blob);
    if (group === undefined) groups.set(blob, [text]);
    else group.push(text);
  }
  return groups;
}

/** The last transaction of a killed run can end after the record was read. Its rows are seen no earlier than its steps. */
async function lateSteps(
  connection: MysqlConnection,
  record: RestoreRecord,
  blobs: readonly BlobRecord[],
  done: Set<string>,
): Promise<string[]> {
  const now = (await record.read(connection)) ?? new Set();
  const grouped = groupRowSteps(now);
  const steps = blobs.flatMap((blob) => grouped.get(blob.name) ?? []);
  for (const step of steps) done.add(step);
  return steps;
}

/**
 * The work that fills the tables: each blob, then the indexes of its table. What has the longest way to go on one connection
 * comes first, and tables in many blobs last, since those keep every connection busy up to the end.
 */
export function tableTasks(
  tables: readonly TableItem[],
  steps: ReadonlySet<string>,
  context: LoadContext,
): Task<MysqlConnection>[] {
  const ordered = tables.toSorted((a, b) => longestWay(b) - longestWay(a));
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

/** What one connection has to do alone at least, one blob and then the indexes, in bytes of text that take as long to load. */
function longestWay({ rows, plainBytes, parts, blobs }: TableItem): number {
  const load = plainBytes + rows * ROW_WEIGHT;
  return load / Math.max(1, blobs.length) + rows * INDEX_WEIGHT * parts.indexes.length;
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
