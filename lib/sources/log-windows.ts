import type { SourcePolicy } from "../core/policy-schema.ts";
import { chainEnd, type LogChain, logChains } from "../vault/segment-chain.ts";
import { readSegment, type SegmentQuery, type ValidSegment } from "../vault/segment-head.ts";
import type { DamagedSegment } from "../vault/segment-hours.ts";
import { listSegments } from "../vault/segment-index.ts";
import type { SegmentEntry } from "../vault/segment-place.ts";
import type { EngineContent } from "../vault/manifest.ts";
import { isGoneForGood, listRemovals } from "../vault/removal.ts";
import { engineOf } from "./engines.ts";

/** An interval in which every instant can be restored. A full backup without a log after it is one instant long. */
export interface RecoveryWindow {
  /** ISO 8601, UTC, as precise as the source's clock told it. */
  from: string;
  until: string;
  /** The newest full backup in it: what a restore of its end starts from. */
  backup: string;
  /** All of its full backups, oldest first. */
  backups: string[];
  /** The log that leads through it; undefined where there is none. */
  chain: LogChain | undefined;
  /** The log has not reached this full backup yet. */
  isAhead: boolean;
  /** Its newest segment was signed in the grace of an expired session key, which ends then. */
  graceUntil?: string | undefined;
}

/** Time between two windows, of which nothing can be restored. */
export interface RecoveryGap {
  from: string;
  until: string;
  /** `no-log`, `missing`, or what the engine found when it shipped. */
  reason: string;
  message: string;
}

export interface RecoveryWindows {
  /** Oldest first. */
  windows: RecoveryWindow[];
  gaps: RecoveryGap[];
  damaged: DamagedSegment[];
  /** The newest log that no full backup leads into: it can't be used yet. */
  unusable: { since: string | undefined; reason: string; message: string } | undefined;
  /** All of the log that can be believed, in windows and outside of them. */
  log: { entries: SegmentEntry[]; chains: LogChain[] };
}

/** What windows need to know of a full backup. */
export interface FullBackup {
  id: string;
  consistentAt: string;
  position: EngineContent["position"];
}

/**
 * The recovery windows of a source in one vault, from its restorable full backups and its log; `after` leaves out segments whose
 * ids do not sort after it.
 */
export async function readRecoveryWindows(
  query: SegmentQuery,
  kind: SourcePolicy["kind"],
  fulls: readonly FullBackup[],
  after?: string,
): Promise<RecoveryWindows> {
  const { entries, damaged } = await listSegments(query, after);
  const chains = await explainStarts(query, logChains(entries));
  const logs = await Promise.all(chains.map((chain) => readEnds(query, chain)));
  const usable = logs.filter((log) => log !== undefined);
  const engine = engineOf(kind);
  const windows = new Map<LogChain | string, RecoveryWindow>();
  for (const full of fulls.toSorted((a, b) => compare(a.consistentAt, b.consistentAt))) {
    const placeIn = ({ first, last }: LogEnds) => engine.placeInLog(full.position, first.content, last.content);
    const log = usable.findLast((ends) => placeIn(ends) === "within");
    const newestLog = usable.at(-1);
    const isAhead = log === undefined && newestLog !== undefined && placeIn(newestLog) === "after";
    const until = latest(full.consistentAt, log && chainEnd(log.chain));
    const key = log?.chain ?? full.id;
    const known = windows.get(key) ?? { from: full.consistentAt, backups: [], chain: log?.chain, isAhead };
    const { graceUntil } = log?.last ?? {};
    windows.set(key, { ...known, until, graceUntil, backup: full.id, backups: [...known.backups, full.id] });
  }
  const sorted = [...windows.values()].toSorted((a, b) => compare(a.from, b.from));
  const newest = usable.at(-1)?.chain;
  const unusable = unusableLog(newest, windows);
  return { windows: sorted, gaps: gapsBetween(sorted), damaged, unusable, log: { entries, chains } };
}

/** What stood before a chain may have been removed on time, which is no damage. */
async function explainStarts(query: SegmentQuery, chains: readonly LogChain[]): Promise<LogChain[]> {
  const before = (chain: LogChain) => (chain.start.reason === "missing" ? (chain.segments[0]?.follows ?? "") : "");
  const wanted = chains.map(before).filter((id) => id !== "");
  const removals = await listRemovals({ ...query, wanted });
  return chains.map((chain) => {
    const removal = removals.get(before(chain));
    if (removal === undefined || !isGoneForGood(removal)) return chain;
    const message = `the log before it was removed by ${removal.reason}, announced at ${removal.announcedAt}`;
    return { ...chain, start: { reason: "removed", message } };
  });
}

interface LogEnds {
  chain: LogChain;
  first: ValidSegment;
  last: ValidSegment;
}

/** Undefined where one end can't be believed any more, though the index knew it. */
async function readEnds(query: SegmentQuery, chain: LogChain): Promise<LogEnds | undefined> {
  const [first, last] = await Promise.all([
    readEntry(query, chain.segments[0]),
    readEntry(query, chain.segments.at(-1)),
  ]);
  return first && last && { chain, first, last };
}

async function readEntry(query: SegmentQuery, entry: SegmentEntry | undefined): Promise<ValidSegment | undefined> {
  const segment = entry && (await readSegment(query, entry));
  return segment?.state === "valid" ? segment : undefined;
}

function gapsBetween(windows: readonly RecoveryWindow[]): RecoveryGap[] {
  return windows.slice(1).flatMap((window, index) => {
    const before = windows[index];
    if (before === undefined || before.until >= window.from) return [];
    const start = window.chain?.start;
    if (window.isAhead) {
      return [{ from: before.until, until: window.from, reason: "not-shipped", message: "the log is not there yet" }];
    }
    const isKnown = start !== undefined && start.reason !== "first";
    const reason = isKnown ? start : { reason: "no-log", message: `no log leads from ${before.backup} on` };
    return [{ from: before.until, until: window.from, ...reason }];
  });
}

function unusableLog(
  newest: LogChain | undefined,
  windows: ReadonlyMap<LogChain | string, RecoveryWindow>,
): RecoveryWindows["unusable"] {
  if (newest === undefined || windows.has(newest)) return undefined;
  // It is not past the newest full backup yet.
  if ([...windows.values()].some(({ isAhead }) => isAhead)) return undefined;
  const since = newest.segments.find(({ firstCommitAt }) => firstCommitAt !== null)?.firstCommitAt ?? undefined;
  return { since, ...newest.start };
}

function latest(instant: string, other: string | undefined): string {
  return other !== undefined && other > instant ? other : instant;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
