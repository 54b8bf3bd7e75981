import type { SegmentEntry } from "./segment-place.ts";

/** Segments without anything missing between them, oldest first. */
export interface LogChain {
  segments: SegmentEntry[];
  /** Why it can't be continued from what is before it. */
  start: { reason: string; message: string };
}

/**
 * The chains of a source's log, oldest first. Each segment names the one before it, so the newest one tells what belongs to
 * its chain; a branch that no chain came back to holds nothing that its successor does not.
 */
export function logChains(entries: readonly SegmentEntry[]): LogChain[] {
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  const used = new Set<string>();
  const chains: LogChain[] = [];
  for (const newest of entries.toReversed()) {
    if (used.has(newest.id)) continue;
    const chain = followBack(newest, byId, used);
    if (chain !== undefined) chains.push(chain);
  }
  return chains.toSorted((a, b) => compare(a.segments.at(-1)?.id ?? "", b.segments.at(-1)?.id ?? ""));
}

function followBack(
  newest: SegmentEntry,
  byId: ReadonlyMap<string, SegmentEntry>,
  used: Set<string>,
): LogChain | undefined {
  const segments: SegmentEntry[] = [];
  for (let entry = newest; ;) {
    used.add(entry.id);
    segments.push(entry);
    if (entry.start !== null) return { segments: segments.toReversed(), start: entry.start };
    const previous = entry.follows ?? "";
    const found = byId.get(previous);
    if (found === undefined) {
      const message = `segment ${previous}, which stood before ${entry.id}, is missing or damaged`;
      return { segments: segments.toReversed(), start: { reason: "missing", message } };
    }
    if (used.has(found.id)) return undefined;
    entry = found;
  }
}

/** The newest instant that a chain reaches; undefined while nothing is complete in it. */
export function chainEnd({ segments }: LogChain): string | undefined {
  let end: string | undefined;
  for (const { lastCommitAt, caughtUpAt } of segments) {
    for (const instant of [lastCommitAt, caughtUpAt]) if (instant !== null && instant > (end ?? "")) end = instant;
  }
  return end;
}

/** Back to a segment before which nothing is unfinished. */
export function startBefore(segments: readonly SegmentEntry[], index: number): number {
  let start = index;
  while (start > 0 && segments[start - 1]?.isComplete === false) start--;
  return start;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
