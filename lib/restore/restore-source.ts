import type { Logger } from "../core/log.ts";
import { findSource } from "../core/policy.ts";
import { noProgress, type Progress } from "../core/progress.ts";
import type {
  Check,
  LogObstacle,
  ReplayReport,
  RestorePlan,
  RestoreReport,
  RestoreRequest,
  SourceEngine,
} from "../sources/engine.ts";
import { engineOf } from "../sources/engines.ts";
import type { BackupReader } from "../vault/backup-reader.ts";
import type { Context } from "../vault/context.ts";
import { type Archived, assertOnline, readArchived } from "./archived.ts";
import { type FoundWindow, openFound, restorableWindows } from "./candidates.ts";
import type { RestorePoint } from "./choose.ts";
import { type ExpectedTime, expectTime } from "./expected-time.ts";
import { readMeasured } from "./measured-restores.ts";
import { assertReplayable } from "./replayable.ts";
import { findPoint, type FoundPoint } from "./to-instant.ts";

export interface RestoreOptions extends Omit<RestoreRequest, "progress" | "instant"> {
  /** Name of a source in the policy. */
  source: string;
  point: RestorePoint;
  /** Read from this vault only. */
  vault?: string | undefined;
  /** Go on where a logged statement can't be replayed under these names or this choice of tables. */
  leaveOutRefused?: boolean;
  /** Begin anew: what an interrupted run began is not gone on with. */
  startsOver?: boolean;
  logger: Logger;
  progress?: Progress;
}

/** Where restored rows come from. */
interface Origin {
  vault: string;
  backup: string;
  consistentAt: string;
  /** The point that was asked for. */
  requested: string;
}

export interface PlannedRestore extends RestorePlan, Origin {
  /** What of the log would be read and replayed; null for a full backup alone. */
  log: { segments: number; transactions: number; storedBytes: number; plainBytes: number } | null;
  /** What the replay would stop at; missing where nothing is renamed or chosen: the restore itself looks, always. */
  obstacles?: LogObstacle[];
  /** To load, compare and replay all of that. */
  expectedSeconds: number;
  expectedBasis: ExpectedTime["basis"];
  /** What has to be brought back from the archive tier first, which `expectedSeconds` leaves out; null where all can be read now. */
  archived: Archived | null;
}

/** The instant that a restore came to. */
interface Reached {
  /** Nothing that was committed until then is missing; ISO 8601 with six decimals, by the source's clock. */
  at: string;
  /** Of the last transaction that this run replayed; null where it replayed none. */
  lastCommitAt: string | null;
  lastTransaction: string | null;
}

export interface RestoreOutcome extends Omit<RestoreReport, "isReplaying">, Origin {
  /** From the first statement on the target to the end of the comparison and the replay. */
  seconds: number;
  checks: Check[];
  /** Every check passed, and there was at least one. */
  identical: boolean;
  reached: Reached;
  /** Null for a full backup alone, and where the comparison found a difference: nothing is replayed on such rows. */
  replayed: Omit<ReplayReport, "checks" | "notCarriedOver"> | null;
  /** Committed until `reached.at` and not restored; null where that is not known. */
  rowsLost: number | null;
  /** The source's last heartbeat among the restored rows; null where the policy has none, or it was not restored. */
  heartbeatAt: string | null;
}

/** A restore of which everything is found and nothing is done. */
export interface PreparedRestore {
  engine: SourceEngine;
  request: RestoreRequest;
  reader: BackupReader;
  found: FoundPoint;
  /** The source writes a heartbeat, so that restored rows tell how new they are. */
  hasHeartbeat: boolean;
}

/** What a restore would do; changes nothing. Throws NO_BACKUP, TIME_OUTSIDE_WINDOW and what reading the vault throws. */
export async function planRestore(context: Context, options: RestoreOptions): Promise<PlannedRestore> {
  const { engine, request, reader, found } = await prepareRestore(context, options);
  const plan = await engine.planRestore(request, reader);
  const log = planLog(found);
  const chooses = options.rename.size > 0 || options.only !== undefined || request.instant?.excludeTables.length !== 0;
  const survey = found.log && chooses ? await engine.surveyLog(request, reader, found.log) : undefined;
  const amount = {
    plainBytes: plan.plainBytes,
    logBytes: log?.plainBytes ?? 0,
    transactions: log?.transactions ?? 0,
  };
  const trusted = await context.trustedKeys();
  const measured = await readMeasured({ vault: found.full.at, source: options.source, trusted });
  const { seconds, basis } = expectTime(amount, measured, engine.restoreRates);
  return {
    ...originOf(found),
    ...plan,
    findings: [...plan.findings, ...(survey?.findings ?? [])],
    log,
    archived: await readArchived(found.full),
    ...(survey && { obstacles: survey.obstacles }),
    expectedSeconds: seconds,
    expectedBasis: basis,
  };
}

/**
 * Restores, compares and replays. A difference is data (`identical: false` with the failing checks), not an exception, and
 * leaves the restore unfinished: no event runs on rows that are not what they should be. Everything that stops the restore
 * throws AppError, and the same call goes on with what was done until then.
 */
export async function restoreSource(context: Context, options: RestoreOptions): Promise<RestoreOutcome> {
  const prepared = await prepareRestore(context, options);
  const outcome = await runRestore(prepared);
  if (outcome.identical) await prepared.engine.finishRestore(prepared.request, prepared.reader);
  return outcome;
}

/**
 * Finds what leads to the point that is asked for, and opens it. Where an interrupted run of the same request had begun with
 * another full backup, it is gone on with: a newer one may have come since.
 */
export async function prepareRestore(context: Context, options: RestoreOptions): Promise<PreparedRestore> {
  const source = findSource(context.policy, options.source);
  const engine = engineOf(source.kind);
  const windows = await restorableWindows(context, source, options.vault, options);
  const find = (among: readonly FoundWindow[]) => findPoint(context, source, among, options.point);
  let found = await find(windows);
  const { databases, excludeTables } = source;
  const { leaveOutRefused = false, progress = noProgress } = options;
  const instant = { to: found.requested, databases, excludeTables, leaveOutRefused };
  const request: RestoreRequest = { ...options, progress, instant };
  if (options.point.kind !== "backup" && !options.startsOver) {
    const ids = new Set(windows.flatMap(({ fulls }) => fulls.map(({ id }) => id)));
    const begun = await engine.findBegun(request, [...ids]);
    if (begun !== undefined && begun !== found.full.id)
      found = await find(windows.map((window) => onlyFull(window, begun)));
  }
  const reader = await openFound(context, found.full, options.signal);
  return { engine, request, reader, found, hasHeartbeat: source.log.heartbeatTable };
}

function onlyFull(window: FoundWindow, id: string): FoundWindow {
  return { ...window, fulls: window.fulls.filter((full) => full.id === id) };
}

/** Loads, compares, and replays the log; finishing or removing what is restored is left to the caller. */
export async function runRestore(prepared: PreparedRestore): Promise<RestoreOutcome> {
  const { engine, request, reader, found } = prepared;
  await assertOnline(found.full);
  const started = performance.now();
  const steps: RestoreReport["steps"] = [];
  const timed = async <Result>(name: string, run: () => Promise<Result>): Promise<Result> => {
    const stepStarted = performance.now();
    const result = await run();
    steps.push({ name, seconds: (performance.now() - stepStarted) / 1000 });
    return result;
  };
  const { log } = found;
  if (log) {
    const survey = await timed("survey", () => engine.surveyLog(request, reader, log));
    assertReplayable(survey, request.instant?.leaveOutRefused === true);
  }
  const { isReplaying, ...report } = await engine.restore(request, reader);
  steps.push(...report.steps);
  // Rows that the log has changed since can't be compared with the backup again.
  const compared = isReplaying ? [COMPARED_BEFORE] : await timed("compare", () => engine.compare(request, reader));
  const replay = log && allOk(compared) ? await timed("replay", () => engine.replay(request, reader, log)) : undefined;
  const { checks: checksOfLog, notCarriedOver, ...replayed } = replay ?? { checks: [], notCarriedOver: [] };
  const checks = [...compared, ...checksOfLog];
  return {
    ...originOf(found),
    ...report,
    notCarriedOver: [...report.notCarriedOver, ...notCarriedOver],
    steps,
    checks,
    seconds: (performance.now() - started) / 1000,
    identical: allOk(checks),
    ...reachedBy(prepared, replay),
    heartbeatAt: prepared.hasHeartbeat ? await engine.readHeartbeat(request, reader) : null,
    replayed: "transactions" in replayed ? replayed : null,
  };
}

const COMPARED_BEFORE: Check = {
  name: "comparison before the replay, by the run that was interrupted",
  expected: "no difference",
  found: "no difference",
  ok: true,
};

function allOk(checks: readonly Check[]): boolean {
  return checks.length > 0 && checks.every(({ ok }) => ok);
}

function reachedBy(
  { found: { full, until, log }, request }: PreparedRestore,
  replay: ReplayReport | undefined,
): Pick<RestoreOutcome, "reached" | "rowsLost"> {
  const { lastCommitAt = null, lastTransaction = null } = replay ?? {};
  const isComplete =
    replay !== undefined && request.instant?.leaveOutRefused !== true && replay.checks.every(({ ok }) => ok);
  const isPast = replay !== undefined || log === undefined;
  const at = (isPast ? until : undefined) ?? lastCommitAt ?? full.consistentAt;
  return { reached: { at, lastCommitAt, lastTransaction }, rowsLost: isComplete ? 0 : null };
}

function planLog({ log }: FoundPoint): PlannedRestore["log"] {
  if (log === undefined) return null;
  const total = { segments: 0, transactions: 0, storedBytes: 0, plainBytes: 0 };
  for (const { sizeBytes, content } of log.segments) {
    total.segments += 1;
    total.transactions += content.transactions;
    total.storedBytes += sizeBytes;
    total.plainBytes += content.data.plainBytes;
  }
  return total;
}

function originOf({ requested, full: { vault, id, consistentAt } }: FoundPoint): Origin {
  return { vault, backup: id, consistentAt, requested };
}
