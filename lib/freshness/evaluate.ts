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
      /** Newer records than `newest` that can't be restored: damaged, foreign or incomplete. */
      damaged: { id: string; error: ErrorReport }[];
    };

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
}

// Clocks of a source and of this host may differ a little; more than this makes every lag meaningless.
const CLOCK_TOLERANCE_MS = 60_000;
// How long a scheduled full may take to appear before it counts as overdue.
const OVERDUE_GRACE_MS = 15 * 60_000;

/** Judges one source in one vault. Pure: the same view, policy and instant give the same answer. */
export function evaluateVault(view: VaultView, source: SourcePolicy, now: Date): VaultFreshness {
  const rpoMs = parseDuration(source.rpo);
  const base = { vault: view.vault, lastFull: null, restorableUntil: null, lagSeconds: null, rpoSeconds: rpoMs / 1000 };
  const judged = (state: FreshnessState, code: ReasonCode, message: string) => ({ state, reason: { code, message } });

  if ("error" in view) {
    return { ...base, ...judged("unknown", "VAULT_UNREADABLE", `${view.error.code}: ${view.error.message}`) };
  }
  const [damaged] = view.damaged;
  if (!view.newest) {
    return damaged
      ? { ...base, ...judged("unknown", "CATALOGUE_INVALID", `${damaged.id}: ${damaged.error.message}`) }
      : { ...base, ...judged("breached", "NO_BACKUP", "there is no backup yet") };
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
    const message = `restorable until ${formatDuration(lagMs)} ago, promised ${formatDuration(rpoMs)}`;
    return { ...found, ...judged("breached", "RPO_EXCEEDED", message) };
  }
  if (damaged)
    return { ...found, ...judged("late", "NEWEST_BACKUP_DAMAGED", `${damaged.id}: ${damaged.error.message}`) };
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

function isFullOverdue(source: SourcePolicy, startedAt: string, now: Date): boolean {
  const due = parseSchedule(source.schedule.full).latest(new Date(now.getTime() - OVERDUE_GRACE_MS));
  return due !== undefined && Date.parse(startedAt) < due.getTime();
}
