import type { LogContents } from "./segment-index.ts";
import { hourOf, type SegmentEntry } from "./segment-place.ts";

/** Bounds of a merged blob. Its index and manifests are a few KB for each segment. */
export interface MergeLimits {
  segments: number;
  bytes: number;
}

const MERGE_LIMITS: MergeLimits = { segments: 1024, bytes: 64 * 1024 * 1024 };

/**
 * Which segments are to be merged with which, each group in order. A group stays within an hour by its ids, so that what
 * expires together lies together, and has nothing damaged or missing between its segments. Left alone are hours that are not
 * wholly before `before`, and the last one that the vault has anything of: the log goes on there, or in a vault that is behind.
 */
export function planCompaction(contents: LogContents, before: Date, limits = MERGE_LIMITS): SegmentEntry[][] {
  const end = hourOf(before.toISOString().replace(/[-:.]/g, ""));
  const { stops, lastHour } = surveyOf(contents);
  const groups: SegmentEntry[][] = [];
  let group: SegmentEntry[] = [];
  let bytes = 0;
  let stop = 0;
  for (const entry of withoutMerged(contents)) {
    const hour = hourOf(entry.id);
    if (hour >= end || hour >= lastHour) break;
    const last = group.at(-1);
    while (last !== undefined && (stops[stop] ?? entry.id) <= last.id) stop++;
    const isStopped = (stops[stop] ?? entry.id) < entry.id;
    const isFull = group.length >= limits.segments || bytes + entry.sizeBytes > limits.bytes;
    if (last === undefined || isFull || hourOf(last.id) !== hour || isStopped) {
      group = [];
      bytes = 0;
      groups.push(group);
    }
    group.push(entry);
    bytes += entry.sizeBytes;
  }
  return groups.filter(({ length }) => length > 1);
}

function withoutMerged({ alone, merged }: LogContents): SegmentEntry[] {
  const held = new Set(merged.flatMap((blob) => (blob.state === "valid" ? blob.parts.map(({ id }) => id) : [])));
  return alone.filter(({ id }) => !held.has(id));
}

/** The ids between whose neighbours nothing is to be merged, in order, and the newest hour that the vault has anything of. */
function surveyOf({ alone, damaged, merged }: LogContents): { stops: string[]; lastHour: string } {
  const blobs = merged.map(({ blob }) => blob.lastId);
  const parts = merged.flatMap((blob) => (blob.state === "valid" ? blob.parts : []));
  const known = new Set([...alone, ...parts].map(({ id }) => id));
  const missing = [...alone, ...parts].flatMap(({ follows }) =>
    follows === null || known.has(follows) ? [] : [follows],
  );
  const bad = damaged.map(({ id }) => id);
  const newest = [...blobs, ...bad, ...alone.slice(-1).map(({ id }) => id)].toSorted().at(-1) ?? "";
  return { stops: [...new Set([...missing, ...bad])].toSorted(), lastHour: hourOf(newest) };
}
