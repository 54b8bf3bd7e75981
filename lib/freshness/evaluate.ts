import type { ErrorReport } from "../core/errors.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import { parseSchedule } from "../core/schedule.ts";
import { formatDuration, parseDuration } from "../core/time.ts";
import type { FreshnessState, ReasonCode } from "./states.ts";

/** What a vault says of one source, read from storage and verified. */
export type VaultView =
  | { vault: string; error: ErrorReport }
  | {
      vault: string;
      /** The newest backup whose manifest verifies and whose blobs all stand with their sizes. */
      newest: NewestBackup | undefined;
      /** Why the newest log can't be used: no full backup leads into it. */
      unusableLog?: { reason: string; message: string } | undefined;
      /** What it lacks and another vault holds, from `newest` on. */
      behind?: Behind | undefined;
      /** Newer records than `newest` that can't be restored: damaged, foreign or incomplete. */
      damaged: { id: string; error: ErrorReport }[];
    };

/** What one vault lacks and another one holds. */
export interface Behind {
  /** Ids of full backups. */
  backups: string[];
  /** How many log segments. */
  segments: number;
  /** Since when another vault has the oldest of it, by that storage's clock. */
  since: string;
}

export interface NewestBackup {
  id: string;
  consistentAt: string;
  startedAt: string;
  restorableUntil: string;
  /** It, or the log after it, was signed with a session key that expired and may go on until then. */
  graceUntil?: string | undefined;
}

export interface VaultFreshness {
  vault: string;
  state: FreshnessState;
  reason: { code: ReasonCode; message: string };
  lastFull: { id: string; consistentAt: string } | null;
  /** End of the recovery window: the newest instant that this vault can bring back. */
  restorableUntil: string | null;
  lagSeconds: number | null;
  rpoSeconds: number;
  behind: Behind | null;
}

// Clocks of a source and of this host may differ a little; more than this makes every lag meaningless.
const CLOCK_TOLERANCE_MS = 60_000;
// How long a scheduled full may take to appear before it counts as overdue.
const OVERDUE_GRACE_MS = 15 * 60_000;

/** Judges one source in one vault. Pure: the same view, policy and instant give the same answer. */
export function evaluateVault(view: VaultView, source: SourcePolicy, now: Date): VaultFreshness {
  const rpoMs = parseDuration(source.rpo);
  const nothing = { lastFull: null, restorableUntil: null, lagSeconds: null };
  const behind = "error" in view ? undefined : view.behind;
  const butLacks = behind ? `; ${lacking(behind)}` : "";
  const base = { vault: view.vault, ...nothing, rpoSeconds: rpoMs / 1000, behind: behind ?? null };
  const judged = (state: FreshnessState, code: ReasonCode, message: string) => ({ state, reason: { code, message } });

  if ("error" in view) {
    return { ...base, ...judged("unknown", "VAULT_UNREADABLE", `${view.error.code}: ${view.error.message}`) };
  }
  const [damaged] = view.damaged;
  if (!view.newest) {
    return damaged
      ? { ...base, ...judged("unknown", "CATALOGUE_INVALID", `${damaged.id}: ${damaged.error.message}`) }
      : { ...base, ...judged("breached", "NO_BACKUP", `there is no backup yet${butLacks}`) };
  }

  const { id, consistentAt, restorableUntil } = view.newest;
  const lagMs = now.getTime() - Date.parse(restorableUntil);
  const found = {
    ...base,
    lastFull: { id, consistentAt },
    restorableUntil,
    lagSeconds: Math.max(0, Math.round(lagMs / 1000)),
  };
  if (lagMs < -CLOCK_TOLERANCE_MS) {
    return { ...found, ...judged("unknown", "CLOCK_AHEAD", `the backup's time lies ${formatDuration(-lagMs)} ahead`) };
  }
  if (lagMs > rpoMs) {
    const message = `restorable until ${formatDuration(lagMs)} ago, promised ${formatDuration(rpoMs)}${butLacks}`;
    return { ...found, ...judged("breached", "RPO_EXCEEDED", message) };
  }
  if (damaged)
    return { ...found, ...judged("late", "NEWEST_BACKUP_DAMAGED", `${damaged.id}: ${damaged.error.message}`) };
  if (behind) return { ...found, ...judged("late", "VAULT_BEHIND", lacking(behind)) };
  if (view.unusableLog) {
    return { ...found, ...judged("late", "LOG_GAP", `${view.unusableLog.reason}: ${view.unusableLog.message}`) };
  }
  if (isFullOverdue(source, view.newest.startedAt, now)) {
    return { ...found, ...judged("late", "FULL_OVERDUE", "the scheduled full backup has not come") };
  }
  const { graceUntil } = view.newest;
  if (graceUntil !== undefined) {
    const message = `the session key expired and can't be renewed; what it signs counts until ${graceUntil}`;
    return { ...found, ...judged("late", "SIGNED_IN_GRACE", message) };
  }
  return { ...found, ...judged("fresh", "WITHIN_RPO", `restorable until ${formatDuration(Math.max(0, lagMs))} ago`) };
}

function lacking({ backups, segments, since }: Behind): string {
  const [newest] = backups.toReversed();
  const what = [
    ...(newest === undefined ? [] : [`${backups.length} full backups, the newest ${newest},`]),
    ...(segments === 0 ? [] : [`${segments} log segments`]),
  ];
  return `it lacks ${what.join(" and ")} that another vault has, the oldest since ${since}`;
}

function isFullOverdue(source: SourcePolicy, startedAt: string, now: Date): boolean {
  const due = parseSchedule(source.schedule.full).latest(new Date(now.getTime() - OVERDUE_GRACE_MS));
  return due !== undefined && Date.parse(startedAt) < due.getTime();
}
