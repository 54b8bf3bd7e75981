import type { BackupReader } from "../../vault/backup-reader.ts";
import type { RestoreReport, RestoreRequest } from "../engine.ts";
import { createAccounts, grantAccounts } from "./accounts.ts";
import type { MysqlConnection } from "./connection.ts";
import { createPrograms } from "./create-programs.ts";
import { addForeignKeys } from "./foreign-keys.ts";
import { listPrograms, type NotCarriedOver } from "./programs.ts";
import { readModel } from "./read-model.ts";
import { renameSchema } from "./rename.ts";
import { recordSchema, RestoreRecord, stepOf } from "./restore-record.ts";
import { loadTables } from "./restore-rows.ts";
import { openRestoreSession, toRestoreError } from "./restore-session.ts";
import { createSchemas, createTables } from "./restore-tables.ts";
import { type RestoreSelection, selectItems, targetSchemas } from "./selection.ts";
import { assertNotSource, assertSuitable, preflightTarget } from "./target.ts";
import { assertFree } from "./target-free.ts";
import { readTargetObjects } from "./target-objects.ts";
import { parseMysqlUrl } from "./url.ts";

/*
 * A restore goes through the steps below, each of which finds on the target what is done already. Until
 * `finishRestore` its record stays on the target: the same request goes on where an interrupted run stopped, and
 * `removeRestored` takes everything away again. Events come back disabled; `finishRestore` enables them, after whoever
 * asked has compared.
 */

/**
 * Restores what the request selects. Throws TABLE_UNKNOWN, USAGE, TARGET_UNSUITABLE, TARGET_NOT_EMPTY, TARGET_IS_SOURCE,
 * RESTORE_FAILED, LEASE_HELD, the SOURCE_… codes of a connection, and what the vault throws.
 */
export async function restoreMysql(request: RestoreRequest, reader: BackupReader): Promise<RestoreReport> {
  const { logger, signal, scratch } = request;
  const target = parseMysqlUrl(request.targetUrl);
  const selection = selectItems(await readModel(reader), reader.manifest, request);
  await using control = await openRestoreSession(target, { logger, signal, scratch });
  const record = new RestoreRecord(recordSchema({ backupId: reader.manifest.id, ...request }));
  const steps: RestoreReport["steps"] = [];
  const timed = async <Result>(name: string, run: () => Promise<Result>): Promise<Result> => {
    const started = performance.now();
    const result = await run();
    steps.push({ name, seconds: (performance.now() - started) / 1000 });
    return result;
  };

  await record.lock(control);
  const { continued, done } = await timed("prepare", () => prepareTarget(control, selection, record, request, reader));
  if (done.has(stepOf.replaying)) return alreadyLoaded(selection);
  const ownSchemas = await timed("schemas", () => createSchemas(control, selection, record, done));
  if (continued) await resetDefaults(control, selection, ownSchemas);
  const accounts = await timed("accounts", () => createAccounts(control, selection, record, done));
  await timed("tables", () => createTables(control, selection, record, done));
  await timed("rows and indexes", () => loadTables(control, selection, { target, record, done, request, reader }));
  const keysLeft = await timed("foreign keys", () => addForeignKeys(control, selection));
  const consistentAt = new Date(reader.manifest.consistentAt);
  const programsLeft = await timed("programs", () => createPrograms(control, selection, { consistentAt, ownSchemas }));
  const grantsLeft = await timed("grants", () => grantAccounts(control, selection, accounts.own));

  const notCarriedOver: NotCarriedOver[] = [...accounts.left, ...keysLeft, ...programsLeft, ...grantsLeft];
  return { ...totals(selection), steps, notCarriedOver, continued, isReplaying: false };
}

function alreadyLoaded(selection: RestoreSelection): RestoreReport {
  return { ...totals(selection), steps: [], notCarriedOver: [], continued: true, isReplaying: true };
}

function totals({ tables }: RestoreSelection): Pick<RestoreReport, "tables" | "rows" | "plainBytes"> {
  return {
    tables: tables.length,
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
    plainBytes: tables.reduce((sum, { plainBytes }) => sum + plainBytes, 0),
  };
}

/** Looks at everything before anything is changed; an interrupted run of the same restore is gone on with. */
async function prepareTarget(
  control: MysqlConnection,
  selection: RestoreSelection,
  record: RestoreRecord,
  request: RestoreRequest,
  reader: BackupReader,
): Promise<{ continued: boolean; done: Set<string> }> {
  assertSuitable(await preflightTarget(control, selection));
  const done = await record.read(control);
  if (done !== undefined) {
    request.logger.info("restore-continued", { backup: reader.manifest.id, steps: done.size });
    return { continued: true, done };
  }
  if (!request.intoNonEmpty) await assertNotSource(control, selection);
  const schemas = targetSchemas(selection);
  assertFree(await readTargetObjects(control, schemas), selection, request.intoNonEmpty);
  return { continued: false, done: await record.begin(control, reader.manifest.source.name, madeBy(selection)) };
}

/** The steps that name what a restore makes; triggers and indexes go with their tables. */
function madeBy(selection: RestoreSelection): string[] {
  const programs = listPrograms(selection).filter(({ renamed }) => "sql" in renamed);
  return [
    ...selection.tables.map(({ to }) => stepOf.made("table", to.schema, to.name)),
    ...programs.flatMap(({ kind, schema, name }) => (kind === "trigger" ? [] : [stepOf.made(kind, schema, name)])),
  ];
}

/** A run that was killed while it made a program can have left a schema with the defaults of that program's day. */
async function resetDefaults(
  control: MysqlConnection,
  { schemas, mapping }: RestoreSelection,
  ownSchemas: ReadonlySet<string>,
): Promise<void> {
  for (const { name, createSql } of schemas) {
    const to = mapping.schema(name);
    if (!ownSchemas.has(to)) continue;
    try {
      await control.execute(renameSchema(createSql, to).replace(/^CREATE /, "ALTER "));
    } catch (error: unknown) {
      throw toRestoreError(error, `schema "${to}"`);
    }
  }
}
