import { formatDuration } from "../../core/time.ts";
import type { RemovedItem } from "../removal.ts";
import { type CoveredTime, coveredTime } from "./covered-time.ts";
import { keptForPeriods } from "./keep.ts";
import { logNeeds } from "./log-needs.ts";
import { doubtAbout, type Clocks } from "./doubt.ts";
import type { FullFact, Protection, RetentionRules, RetentionView } from "./view.ts";

export interface RetentionPlan {
  /** Why nothing may go; then `removals` is empty. */
  refused: string | undefined;
  /** Oldest first of each kind. */
  removals: RemovedItem[];
  /** What would go and is protected by the storage. */
  notBefore: { kind: RemovedItem["kind"]; id: string; until: string | undefined; reason: string }[];
  /** Every full that stays, and why. */
  kept: { id: string; because: string[] }[];
}

/**
 * What of a vault may go by now. Pure: the same facts, rules and clocks give the same plan. Age is covered time, see
 * `coveredTime`; no name, and no clock of this machine alone, makes anything old.
 */
export function planRetention(view: RetentionView, rules: RetentionRules, clocks: Clocks): RetentionPlan {
  const now = Math.min(clocks.now, clocks.storage);
  const times = view.fulls.map(({ time }) => time);
  const before = coveredTime(times, now, rules.maxGapMs);
  const { bases, removable } = logNeeds(view, before(rules.logMs));
  const reasons = reasonsToKeep(view.fulls, rules, before, bases);
  const segments = removable.map(({ id, sha256, sizeBytes, blobs, ...protection }) => {
    return { item: { kind: "segment" as const, id, sha256, sizeBytes, blobs: [...blobs] }, protection };
  });
  const candidates: Candidate[] = [
    ...view.fulls.filter(({ id }) => !reasons.has(id)).map((full) => fullCandidate(full, rules)),
    ...segments,
    ...oldOrphans(view, rules, clocks),
    ...oldRecords(view, rules, before),
  ];
  const protectedOnes = candidates.flatMap((candidate) => protectionOf(candidate, clocks.storage) ?? []);
  const stays = new Set(protectedOnes.map(({ id }) => id));
  const refused = doubtAbout(view, clocks);
  return {
    refused,
    removals: refused === undefined ? candidates.flatMap(({ item }) => (stays.has(item.id) ? [] : [item])) : [],
    notBefore: protectedOnes,
    kept: view.fulls.flatMap(({ id }) => {
      const because = reasons.get(id);
      return because ? [{ id, because }] : [];
    }),
  };
}

interface Candidate {
  item: RemovedItem;
  protection: Protection;
}

function reasonsToKeep(
  fulls: readonly FullFact[],
  rules: RetentionRules,
  before: CoveredTime,
  bases: ReadonlyMap<string, string>,
): Map<string, string[]> {
  const reasons = keptForPeriods(fulls, rules.keep);
  const keep = (id: string, reason: string) => reasons.set(id, [...(reasons.get(id) ?? []), reason]);
  const oldest = before(rules.fullMs);
  for (const { id, time, hold } of fulls) {
    if (time >= oldest) keep(id, `younger than ${formatDuration(rules.fullMs)}`);
    if (hold !== undefined) keep(id, `held: ${hold}`);
  }
  for (const [id, reason] of bases) keep(id, reason);
  const proven = fulls.filter(({ isProven }) => isProven).toSorted((a, b) => b.time - a.time);
  for (const { id } of proven.slice(0, rules.minimumProven)) keep(id, `one of ${rules.minimumProven} proven ones`);
  return reasons;
}

function fullCandidate(full: FullFact, rules: RetentionRules): Candidate {
  const { id, sha256, sizeBytes, time } = full;
  const why = `older than ${formatDuration(rules.fullMs)}: it was taken at ${new Date(time).toISOString()}`;
  return { item: { kind: "full", id, sha256, sizeBytes, why }, protection: full };
}

/** By the storage's clock alone: nothing else knows when an upload stopped. */
function oldOrphans({ orphans }: RetentionView, rules: RetentionRules, clocks: Clocks): Candidate[] {
  const old = orphans.filter(({ newestAt }) => newestAt < clocks.storage - rules.orphansMs);
  return old.map((orphan) => {
    const { id, sizeBytes, newestAt } = orphan;
    const why = `no manifest names it, and nothing was added since ${new Date(newestAt).toISOString()}`;
    return { item: { kind: "orphan", id, sizeBytes, why }, protection: orphan };
  });
}

function oldRecords({ records }: RetentionView, rules: RetentionRules, before: CoveredTime): Candidate[] {
  const oldest = before(rules.receiptsMs);
  const newestLedger = records.findLast(({ kind }) => kind === "proofs");
  const old = records.filter((record) => record.time < oldest && record !== newestLedger);
  return old.map((record) => {
    const { kind, id, sha256, sizeBytes } = record;
    const why = `older than ${formatDuration(rules.receiptsMs)}`;
    return { item: { kind, id, sha256, sizeBytes, why }, protection: record };
  });
}

function protectionOf({ item, protection }: Candidate, now: number): RetentionPlan["notBefore"][number] | undefined {
  const { kind, id } = item;
  const { legalHold, immutableUntil } = protection;
  if (legalHold) return { kind, id, until: undefined, reason: "the storage has a legal hold on it" };
  if (immutableUntil === undefined || immutableUntil <= now) return undefined;
  return { kind, id, until: new Date(immutableUntil).toISOString(), reason: "the storage keeps it immutable" };
}
