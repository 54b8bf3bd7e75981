import type { BackupReader } from "../../vault/backup-reader.ts";
import type { RestoreRequest } from "../engine.ts";
import type { MysqlConnection } from "./connection.ts";
import { enableEvents } from "./create-programs.ts";
import { switchOff } from "./local-infile.ts";
import { quoteName, quoteString, quoteTable } from "./quoting.ts";
import { readModel } from "./read-model.ts";
import { lockOutReplays } from "./replay/replay-session.ts";
import { readStep, RECORD_PREFIX, recordSchema, RestoreRecord, stepOf } from "./restore-record.ts";
import { openRestoreSession, toRestoreError } from "./restore-session.ts";
import { type RestoreSelection, selectItems } from "./selection.ts";
import { readTargetObjects } from "./target-objects.ts";
import { parseMysqlUrl } from "./url.ts";

/**
 * Ends a restore: events get the status that they had, read-only schemas are read-only again, the record goes. Safe
 * to repeat; does nothing without a record.
 */
export async function finishRestore(request: RestoreRequest, reader: BackupReader): Promise<void> {
  const selection = selectItems(await readModel(reader), reader.manifest, request);
  await using control = await openRestoreSession(parseMysqlUrl(request.targetUrl), request);
  const record = new RestoreRecord(recordSchema({ backupId: reader.manifest.id, ...request }));
  await record.lock(control);
  const done = await record.read(control);
  if (done === undefined) return;
  await enableEvents(control, selection);
  await lockSchemas(control, selection, done);
  await record.drop(control);
}

/** Removes what unfinished restores of the same source made, from their records alone. */
export async function removeRestored(request: RestoreRequest, reader: BackupReader): Promise<void> {
  await using control = await openRestoreSession(parseMysqlUrl(request.targetUrl), request);
  const begun = stepOf.begun(reader.manifest.source.name);
  for (const schema of await readRecordSchemas(control)) {
    const record = new RestoreRecord(schema);
    const found = await record.read(control);
    if (found === undefined) await removeUnbegun(control, record);
    if (found === undefined || !found.has(begun)) continue;
    await record.lock(control);
    // Whoever had the lock may have gone on, or finished.
    const done = await record.read(control);
    if (done === undefined) continue;
    if (done.has(stepOf.replaying)) await lockOutReplays(control, schema);
    await removeMade(control, done, request);
    await record.drop(control);
    request.logger.info("restore-removed", { record: schema });
  }
}

/** Of a run that was killed before it made anything; one that is alive holds the lock. */
async function removeUnbegun(control: MysqlConnection, record: RestoreRecord): Promise<void> {
  if (!(await record.tryLock(control, 0))) return;
  if ((await record.read(control)) === undefined) await record.drop(control);
}

/** The schemas with records of restores that are not finished. */
export async function readRecordSchemas(control: MysqlConnection): Promise<string[]> {
  const rows = await control.query<"name">(
    "SELECT schema_name AS name FROM information_schema.schemata WHERE LEFT(schema_name, ?) = ?",
    [RECORD_PREFIX.length, RECORD_PREFIX],
  );
  return rows.flatMap(({ name }) => name ?? []);
}

const DROPPED_KINDS = ["event", "view", "table", "procedure", "function", "library"];

async function removeMade(control: MysqlConnection, done: ReadonlySet<string>, request: RestoreRequest): Promise<void> {
  const steps = [...done].map(readStep);
  const dropsWhole = done.has(stepOf.replaying);
  for (const wanted of DROPPED_KINDS) {
    for (const [kind, schema = "", name = ""] of steps) {
      if (kind === wanted) await run(control, `DROP ${kind} IF EXISTS ${quoteTable(schema, name)}`);
    }
  }
  for (const [kind, name = "", host = ""] of steps) {
    if (kind === "user") await run(control, `DROP USER IF EXISTS ${quoteString(name)}@${quoteString(host)}`);
    if (kind === "setting") await switchOff(control, request.logger);
    if (kind === "empty-schema" && dropsWhole) await dropAllIn(control, name);
    if (kind === "schema" && (dropsWhole || (await isEmpty(control, name))))
      await run(control, `DROP DATABASE IF EXISTS ${quoteName(name)}`);
  }
}

/** Empties a schema that was empty. */
async function dropAllIn(control: MysqlConnection, schema: string): Promise<void> {
  const views = await control.query<"name">(
    "SELECT table_name AS name FROM information_schema.views WHERE table_schema = ?",
    [schema],
  );
  for (const { name } of views) await run(control, `DROP VIEW IF EXISTS ${quoteTable(schema, name ?? "")}`);
  const { tables, events, routines } = await readTargetObjects(control, [schema]);
  const drop = async (kind: string, keys: ReadonlySet<string>): Promise<void> => {
    for (const key of keys) {
      const [, name = "", routineKind] = key.split("\0");
      await run(control, `DROP ${routineKind ?? kind} IF EXISTS ${quoteTable(schema, name)}`);
    }
  };
  await drop("TABLE", tables);
  await drop("EVENT", events);
  await drop("ROUTINE", routines);
}

/** Whether nothing is left in a schema; what others put there is not the restore's to drop. */
async function isEmpty(control: MysqlConnection, schema: string): Promise<boolean> {
  const places = [
    ["tables", "table_schema"],
    ["routines", "routine_schema"],
    ["events", "event_schema"],
  ];
  const counts = places.map(
    ([view, column]) => `(SELECT COUNT(*) FROM information_schema.${view} WHERE ${column} = ?)`,
  );
  const [row] = await control.query<"count">(
    `SELECT ${counts.join(" + ")} AS count`,
    places.map(() => schema),
  );
  return row?.count === "0";
}

const READ_ONLY = /\/\* READ ONLY=1 \*\/\s*$/;

/** The server writes into the text of a schema that it is read-only, and does not read it there. */
async function lockSchemas(
  control: MysqlConnection,
  selection: RestoreSelection,
  done: ReadonlySet<string>,
): Promise<void> {
  for (const { name, createSql } of selection.schemas) {
    const to = selection.mapping.schema(name);
    if (READ_ONLY.test(createSql) && done.has(stepOf.schema(to))) {
      await run(control, `ALTER DATABASE ${quoteName(to)} READ ONLY = 1`);
    }
  }
}

async function run(control: MysqlConnection, sql: string): Promise<void> {
  try {
    await control.execute(sql);
  } catch (error: unknown) {
    throw toRestoreError(error, "after the restore");
  }
}
