import { AppError } from "../../core/errors.ts";
import type { BackupReader } from "../../vault/backup-reader.ts";
import type { Check, LogToReplay, ReplayReport, RestoreInstant, RestoreRequest } from "../engine.ts";
import { heldAfter } from "./binlog/log-position.ts";
import { logPositionOf, readLog } from "./binlog/log-stream.ts";
import type { MysqlConnection } from "./connection.ts";
import { formatGtid, type GtidSet } from "./gtid-set.ts";
import { toFullPosition } from "./place-in-log.ts";
import { keyOf } from "./mapping.ts";
import { listEvents, type NotCarriedOver } from "./programs.ts";
import { quoteTable } from "./quoting.ts";
import { readModel } from "./read-model.ts";
import { replayLog } from "./replay/replay.ts";
import { replayScope, type ReplayScope } from "./replay/scope.ts";
import { formatMicros, parseStopPoint } from "./replay/stop-point.ts";
import { recordSchema, RestoreRecord, stepOf } from "./restore-record.ts";
import { openRestoreSession } from "./restore-session.ts";
import { SYSTEM_SCHEMAS } from "./schema.ts";
import { type RestoreSelection, selectItems, targetSchemas } from "./selection.ts";
import { readTargetObjects } from "./target-objects.ts";
import { parseMysqlUrl } from "./url.ts";

/**
 * Replays the log on what a restore loaded, from the backup's own GTID set to the request's instant. Throws RESTORE_FAILED,
 * TARGET_UNSUITABLE, TIME_OUTSIDE_WINDOW, LEASE_HELD, the SOURCE_… codes, and what the vault throws.
 */
export async function replayRestored(
  request: RestoreRequest,
  reader: BackupReader,
  log: LogToReplay,
): Promise<ReplayReport> {
  const { instant, logger, signal } = request;
  if (instant === undefined) throw new AppError("INVARIANT", "a replay without an instant to go to");
  const target = parseMysqlUrl(request.targetUrl);
  const selection = selectItems(await readModel(reader), reader.manifest, request);
  const schema = recordSchema({ backupId: reader.manifest.id, ...request });
  await using control = await openRestoreSession(target, request);
  const record = new RestoreRecord(schema);
  await record.lock(control);
  await record.add(control, stepOf.replaying);
  const scope = new TouchedSchemas(scopeOf(selection, request, instant));
  const before = await readSchemas(control);
  const { gtidSet, file, offset } = toFullPosition(reader.manifest.position);
  const totalBytes = log.segments.reduce((sum, { content }) => sum + content.data.plainBytes, 0);
  const run = () =>
    replayLog({
      target,
      log: readLog(log.segments, (segment) => log.read(segment)),
      from: gtidSet,
      fromPosition: { file, offset },
      stop: parseStopPoint(instant.to),
      scope: scope.scope,
      checkpointSchema: schema,
      targetBinlog: request.scratch ? "off" : "on",
      leaveOutRefused: instant.leaveOutRefused,
      logger,
      signal,
      onProgress: (doneBytes) => request.progress({ phase: "replaying the log", doneBytes, totalBytes }),
    });
  const noteSchemas = () => noteNewSchemas(control, record, scope.names, before);
  const report = await run().catch(async (error: unknown) => {
    // What failed is what is told; what the log had made until then is taken away all the same.
    if (!signal.aborted) await noteSchemas();
    throw error;
  });
  await noteSchemas();
  return {
    transactions: report.transactions,
    logBytes: report.logBytes,
    lastCommitAt: report.lastCommitMicros === 0n ? null : formatMicros(report.lastCommitMicros),
    lastTransaction: report.lastGtid === undefined ? null : formatGtid(report.lastGtid),
    leftOut: report.leftOut,
    prepared: report.preparedXa,
    notCarriedOver: await newEvents(control, selection),
    checks: instant.to === "latest" ? checkDone(log, report.done) : [],
  };
}

/** Whether everything that the log holds went by; nothing to compare where the source has no GTIDs. */
function checkDone({ segments }: LogToReplay, done: GtidSet): Check[] {
  const last = segments.at(-1);
  if (last === undefined) return [];
  const missing = heldAfter(logPositionOf(last)).minus(done);
  const found = missing.isEmpty ? "none" : missing.toString();
  return [{ name: "transactions of the log that were not replayed", expected: "none", found, ok: missing.isEmpty }];
}

/** Events stay disabled while the log is replayed, and which of the new ones are to run is for whoever asked to say. */
async function newEvents(control: MysqlConnection, selection: RestoreSelection): Promise<NotCarriedOver[]> {
  const known = new Set(listEvents(selection).map(({ schema, name }) => keyOf(schema, name)));
  const { events } = await readTargetObjects(control, targetSchemas(selection));
  return [...events].flatMap((key) => {
    const [schema = "", name = ""] = key.split("\0");
    const reason = "made since the backup: it is there, disabled";
    return known.has(key) ? [] : [{ object: `event ${quoteTable(schema, name)}`, reason }];
  });
}

function scopeOf(selection: RestoreSelection, { only, users }: RestoreRequest, instant: RestoreInstant): ReplayScope {
  const { mapping, tables } = selection;
  const common = { mapping, accounts: users, exclude: instant.excludeTables };
  if (only === undefined) {
    const { databases } = instant;
    return replayScope({ ...common, ...(databases && { schemas: databases }) });
  }
  const schemas = selection.schemas.filter(({ whole }) => whole).map(({ name }) => name);
  const single = tables.map(({ model }) => model).filter((model) => !schemas.includes(model.schema));
  return replayScope({ ...common, schemas, tables: single });
}

/** A scope that remembers which schemas of the target the log was about. */
class TouchedSchemas {
  readonly names = new Set<string>();
  readonly scope: ReplayScope;

  constructor(scope: ReplayScope) {
    this.scope = {
      ...scope,
      schema: (from) => {
        const to = scope.schema(from);
        if (to !== undefined) this.names.add(to);
        return to;
      },
    };
  }
}

async function readSchemas(control: MysqlConnection): Promise<Set<string>> {
  const rows = await control.query<"name">("SELECT schema_name AS name FROM information_schema.schemata");
  return new Set(rows.map(({ name }) => name ?? ""));
}

/** Schemas that the log made are the restore's own. */
async function noteNewSchemas(
  control: MysqlConnection,
  record: RestoreRecord,
  touched: ReadonlySet<string>,
  before: ReadonlySet<string>,
): Promise<void> {
  for (const name of await readSchemas(control)) {
    const isOwn = touched.has(name) && !before.has(name) && !SYSTEM_SCHEMAS.has(name);
    if (isOwn) await record.add(control, stepOf.schema(name));
  }
}
