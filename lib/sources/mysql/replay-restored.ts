import { AppError } from "../../core/errors.ts";
import type { BackupReader } from "../../vault/backup-reader.ts";
import type { Check, LogToReplay, ReplayReport, RestoreRequest } from "../engine.ts";
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
import { formatMicros, parseStopPoint } from "./replay/stop-point.ts";
import { scopeOf } from "./restore-scope.ts";
import { recordSchema, RestoreRecord, stepOf } from "./restore-record.ts";
import { openRestoreSession } from "./restore-session.ts";
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
  const { gtidSet, file, offset } = toFullPosition(reader.manifest.position);
  const totalBytes = log.segments.reduce((sum, { content }) => sum + content.data.plainBytes, 0);
  const report = await replayLog({
    target,
    log: readLog(log.segments, (segment) => log.read(segment)),
    from: gtidSet,
    fromPosition: { file, offset },
    stop: parseStopPoint(instant.to),
    scope: scopeOf(selection, request, instant),
    checkpointSchema: schema,
    targetBinlog: request.scratch ? "off" : "on",
    leaveOutRefused: instant.leaveOutRefused,
    beforeSchema: (name) => noteNewSchema(control, record, name),
    logger,
    signal,
    onProgress: (doneBytes) => request.progress({ phase: "replaying the log", doneBytes, totalBytes }),
  });
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

/** A schema that the log makes is the restore's own, also when the replay is killed before it is made. */
async function noteNewSchema(control: MysqlConnection, record: RestoreRecord, name: string): Promise<void> {
  const { schemas } = await readTargetObjects(control, [name]);
  if (!schemas.has(name)) await record.add(control, stepOf.schema(name));
}
