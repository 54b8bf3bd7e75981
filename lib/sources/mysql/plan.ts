import { toAppError } from "../../core/errors.ts";
import type { BackupReader } from "../../vault/backup-reader.ts";
import type { Finding, RestorePlan, RestoreRates, RestoreRequest } from "../engine.ts";
import type { MysqlConnection } from "./connection.ts";
import { planForeignKeys, tableExists } from "./foreign-keys.ts";
import { leftBehind } from "./programs.ts";
import { readModel } from "./read-model.ts";
import { recordSchema, RestoreRecord } from "./restore-record.ts";
import { openRestoreSession } from "./restore-session.ts";
import { type RestoreSelection, selectItems, targetSchemas } from "./selection.ts";
import { assertNotSource, preflightTarget } from "./target.ts";
import { assertFree } from "./target-free.ts";
import { readTargetObjects } from "./target-objects.ts";
import { parseMysqlUrl } from "./url.ts";

/** Measured with one secondary index a table, and a log of small transactions; rounded down. */
export const RESTORE_RATES: RestoreRates = {
  plainBytesPerSecond: 30e6,
  logBytesPerSecond: 7e6,
  transactionsPerSecond: 20_000,
};

/** What a restore would do; reads the backup's definitions and asks the target, and changes nothing. */
export async function planMysqlRestore(request: RestoreRequest, reader: BackupReader): Promise<RestorePlan> {
  const selection = selectItems(await readModel(reader), reader.manifest, request);
  await using control = await openRestoreSession(parseMysqlUrl(request.targetUrl), request);
  const { left } = await planForeignKeys(selection, (table) => tableExists(control, table));
  const { tables, schemas, mapping } = selection;
  const schemaBlobs = reader.manifest.blobs.filter(({ role }) => role === "schema");
  const blobs = [...schemaBlobs, ...tables.flatMap((table) => table.blobs)];
  return {
    schemas: schemas.map(({ name }) => {
      const own = tables.filter(({ model }) => model.schema === name);
      return { from: name, to: mapping.schema(name), tables: own.length, rows: sum(own, ({ rows }) => rows) };
    }),
    tables: tables.length,
    rows: sum(tables, ({ rows }) => rows),
    storedBytes: sum(blobs, ({ sizeBytes }) => sizeBytes),
    plainBytes: sum(blobs, ({ plainBytes }) => plainBytes),
    notCarriedOver: [...left, ...leftBehind(selection)],
    findings: [
      ...(await preflightTarget(control, selection)),
      await emptinessFinding(control, selection, request, reader),
    ],
  };
}

async function emptinessFinding(
  control: MysqlConnection,
  selection: RestoreSelection,
  request: RestoreRequest,
  reader: BackupReader,
): Promise<Finding> {
  const finding = { setting: "objects", required: "none that the restore would meet", level: "required" as const };
  const record = new RestoreRecord(recordSchema({ backupId: reader.manifest.id, ...request }));
  if ((await record.read(control)) !== undefined) {
    return { ...finding, found: "an interrupted run of this restore, which would go on", ok: true };
  }
  try {
    if (!request.intoNonEmpty) await assertNotSource(control, selection);
    assertFree(await readTargetObjects(control, targetSchemas(selection)), selection, request.intoNonEmpty);
    return { ...finding, found: "none", ok: true };
  } catch (error: unknown) {
    const { code, message, hint } = toAppError(error);
    if (code !== "TARGET_NOT_EMPTY" && code !== "TARGET_IS_SOURCE") throw error;
    return { ...finding, found: message, ok: false, code, ...(hint === undefined ? {} : { change: hint }) };
  }
}

function sum<Item>(items: readonly Item[], amount: (item: Item) => number): number {
  return items.reduce((total, item) => total + amount(item), 0);
}
