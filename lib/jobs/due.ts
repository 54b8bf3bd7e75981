import type { SourcePolicy } from "../core/policy-schema.ts";
import { parseSchedule } from "../core/schedule.ts";
import { workName, type JobKind, type JobMessage } from "./message.ts";

/** What the receipts say of one piece of work. */
export interface WorkHistory {
  /** Start of the first successful run. ISO 8601. */
  firstDoneAt?: string | undefined;
  /** Instant up to which successful runs cover the schedule. ISO 8601. */
  coveredUntil?: string | undefined;
  /** End of the latest run that failed, where no successful one came after it. ISO 8601. */
  failedAt?: string | undefined;
}

/** Histories of one source by the name of the work. */
export type SourceHistory = ReadonlyMap<string, WorkHistory>;

// The queue tries a failing job a few times at once; after that the timer waits this long before it asks anew.
const RETRY_AFTER_FAILURE_MS = 10 * 60_000;
/** One more hour of log is old enough to be merged; not at the minute when much else starts. */
const COMPACTION_SCHEDULE = "0 40 * * * *";
// Shipping is asked for each minute, and what it misses counts against the RPO.
const RETRY_SHIPPING_AFTER_MS = 30_000;
// Mostly it waits for a proof of the newest backup.
const RETRY_RETENTION_AFTER_MS = 3_600_000;

/**
 * The jobs of a source that the policy wants by now and that no receipt covers. Computed from the receipts and not from
 * the timer's own firing: a missed timer makes its work overdue, never lost.
 */
export function dueJobs(
  source: SourcePolicy,
  history: SourceHistory,
  now: Date,
  kinds: readonly JobKind[],
): JobMessage[] {
  const due: JobMessage[] = [];
  for (const { schedule, message } of scheduledWork(source)) {
    if (!kinds.includes(message.job)) continue;
    const occurrence = parseSchedule(schedule).latest(now);
    if (!occurrence || !isDue(occurrence, message, history, now)) continue;
    due.push({ ...message, dueAt: occurrence.toISOString() });
  }
  return due;
}

function isDue(occurrence: Date, message: JobMessage, history: SourceHistory, now: Date): boolean {
  const { coveredUntil, failedAt } = history.get(workName(message)) ?? {};
  const firstDueAfter = coveredUntil ?? (message.job === "backup" ? undefined : history.get("backup")?.firstDoneAt);
  // Before the first backup there is nothing to verify and nothing to restore.
  if (message.job !== "backup" && firstDueAfter === undefined) return false;
  if (firstDueAfter !== undefined && occurrence.getTime() <= Date.parse(firstDueAfter)) return false;
  return failedAt === undefined || now.getTime() - Date.parse(failedAt) >= retryAfterMs(message.job);
}

function retryAfterMs(job: JobKind): number {
  if (job === "ship") return RETRY_SHIPPING_AFTER_MS;
  return job === "retention" ? RETRY_RETENTION_AFTER_MS : RETRY_AFTER_FAILURE_MS;
}

/**
 * Whether work on two vaults that no schedule asks for may be asked for by now: while a vault is down, each look would find it
 * necessary anew.
 */
export function mayAskFor(job: "copy" | "heal", source: SourcePolicy, history: SourceHistory, now: Date): boolean {
  const { failedAt } = history.get(job) ?? {};
  const isPaused = failedAt !== undefined && now.getTime() - Date.parse(failedAt) < RETRY_AFTER_FAILURE_MS;
  return source.vaults.length > 1 && !isPaused;
}

function scheduledWork(source: SourcePolicy): { schedule: string; message: JobMessage }[] {
  const common = { v: 1, source: source.name, requestedBy: "timer" } as const;
  const { full, verify, ship, retention } = source.schedule;
  return [
    { schedule: full, message: { ...common, job: "backup" } },
    ...(ship ? [{ schedule: ship, message: { ...common, job: "ship" } as const }] : []),
    ...(ship && source.log.compactAfter !== "never"
      ? [{ schedule: COMPACTION_SCHEDULE, message: { ...common, job: "compact" } as const }]
      : []),
    ...(verify ? [{ schedule: verify, message: { ...common, job: "verify" } as const }] : []),
    // Whatever else was found in between, all names of the vaults are compared as often as their bytes are read.
    ...(verify && source.vaults.length > 1 ? [{ schedule: verify, message: { ...common, job: "copy" } as const }] : []),
    { schedule: retention, message: { ...common, job: "retention" } },
    ...source.restoreTests.map(({ schedule, kind }) => ({
      schedule,
      message: { ...common, job: "drill", test: kind } as const,
    })),
  ];
}
