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
      /** Everything that stands there was proven, or written, at this instant or later; undefined for nothing. */
      provenSince?: string | undefined;
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
  /** Whatever stands in the vault was read back and proven, or written, at this instant or later. */
  provenSince: string | null;
}

// Clocks of a source and of this host may differ a little; more than this makes every lag meaningless.
const CLOCK_TOLERANCE_MS = 60_000;
// How long a scheduled full may take to appear before it counts as overdue.
const OVERDUE_GRACE_MS = 15 * 60_000;

interface Verdict {
  state: FreshnessState;
  reason: { code: ReasonCode; message: string };
}

/** Judges one source in one vault. Pure: the same view, policy and instant give the same answer. */
export function evaluateVault(view: VaultView, source: SourcePolicy, now: Date): VaultFreshness {
  const nothing = { lastFull: null, restorableUntil: null, lagSeconds: null, behind: null, provenSince: null };
  const base = { vault: view.vault, ...nothing, rpoSeconds: parseDuration(source.rpo) / 1000 };
  if ("error" in view) {
    const { code, message } = view.error;
    return { ...base, ...verdict("unknown", "VAULT_UNREADABLE", `${code}: ${message}`) };
  }
  const known = { ...base, behind: view.behind ?? null, provenSince: view.provenSince ?? null };
  if (!view.newest) return { ...known, ...judgeWithout(view) };
  const { id, consistentAt, restorableUntil } = view.newest;
  const lagMs = now.getTime() - Date.parse(restorableUntil);
  return {
    ...known,
    lastFull: { id, consistentAt },
    restorableUntil,
    lagSeconds: Math.max(0, Math.round(lagMs / 1000)),
    ...(judgeTimes(view, source, now, lagMs) ?? judgeNewest(view, view.newest, source, now, lagMs)),
  };
}

function verdict(state: FreshnessState, code: ReasonCode, message: string): Verdict {
  return { state, reason: { code, message } };
}

type ReadView = Exclude<VaultView, { error: ErrorReport }>;

function judgeWithout({ damaged: [damaged], behind }: ReadView): Verdict {
  return damaged
    ? verdict("unknown", "CATALOGUE_INVALID", `${damaged.id}: ${damaged.error.message}`)
    : verdict("breached", "NO_BACKUP", `there is no backup yet${butLacks(behind)}`);
}

/** What breaks a promise, or makes every time meaningless. */
function judgeTimes(
  { provenSince, behind }: ReadView,
  { rpo, verify }: SourcePolicy,
  now: Date,
  lagMs: number,
): Verdict | undefined {
  const provenMs = provenSince === undefined ? 0 : now.getTime() - Date.parse(provenSince);
  if (lagMs < -CLOCK_TOLERANCE_MS) {
    return verdict("unknown", "CLOCK_AHEAD", `the backup's time lies ${formatDuration(-lagMs)} ahead`);
  }
  if (provenMs < -CLOCK_TOLERANCE_MS) {
    return verdict("unknown", "CLOCK_AHEAD", `the newest proof lies ${formatDuration(-provenMs)} ahead`);
  }
  if (lagMs > parseDuration(rpo)) {
    const message = `restorable until ${formatDuration(lagMs)} ago, promised ${formatDuration(parseDuration(rpo))}`;
    return verdict("breached", "RPO_EXCEEDED", `${message}${butLacks(behind)}`);
  }
  if (provenMs <= parseDuration(verify.provenWithin)) return undefined;
  const promised = formatDuration(parseDuration(verify.provenWithin));
  const message = `something was not proven for ${formatDuration(provenMs)}, promised ${promised}`;
  return verdict("breached", "UNPROVEN", message);
}

function judgeNewest(
  { damaged: [damaged], unusableLog, behind }: ReadView,
  newest: NewestBackup,
  source: SourcePolicy,
  now: Date,
  lagMs: number,
): Verdict {
  if (damaged) return verdict("late", "NEWEST_BACKUP_DAMAGED", `${damaged.id}: ${damaged.error.message}`);
  if (behind) return verdict("late", "VAULT_BEHIND", lacking(behind));
  if (unusableLog) return verdict("late", "LOG_GAP", `${unusableLog.reason}: ${unusableLog.message}`);
  if (isFullOverdue(source, newest.startedAt, now)) {
    return verdict("late", "FULL_OVERDUE", "the scheduled full backup has not come");
  }
  if (newest.graceUntil !== undefined) {
    const message = `the session key expired and can't be renewed; what it signs counts until ${newest.graceUntil}`;
    return verdict("late", "SIGNED_IN_GRACE", message);
  }
  return verdict("fresh", "WITHIN_RPO", `restorable until ${formatDuration(Math.max(0, lagMs))} ago`);
}

function lacking({ backups, segments, since }: Behind): string {
  const [newest] = backups.toReversed();
  const what = [
    ...(newest === undefined ? [] : [`${backups.length} full backups, the newest ${newest},`]),
    ...(segments === 0 ? [] : [`${segments} log segments`]),
  ];
  return `it lacks ${what.join(" and ")} that another vault has, the oldest since ${since}`;
}

function butLacks(behind: Behind | undefined): string {
  return behind ? `; ${lacking(behind)}` : "";
}

function isFullOverdue(source: SourcePolicy, startedAt: string, now: Date): boolean {
  const due = parseSchedule(source.schedule.full).latest(new Date(now.getTime() - OVERDUE_GRACE_MS));
  return due !== undefined && Date.parse(startedAt) < due.getTime();
}
