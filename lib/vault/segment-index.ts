import { toAppError } from "../core/errors.ts";
import { type KnownDamage, readDamage } from "./damage.ts";
import { mapInOrder } from "./map-in-order.ts";
import { type InvalidMerged, readMerged, type ValidMerged } from "./merged-blob.ts";
import { logPlace } from "./names.ts";
import { listSegmentBlobs, type SegmentBlob } from "./segment-blobs.ts";
import type { SegmentQuery } from "./segment-head.ts";
import { readSegments } from "./segment-heads.ts";
import { type DamagedSegment, readSegmentHours, type SegmentList } from "./segment-hours.ts";
import { hourOf, type SegmentEntry } from "./segment-place.ts";

/** What lies in the place of a source's log in one vault, blob by blob. */
export interface LogContents {
  /** Segments in blobs of their own, in order; merged ones may hold them as well. */
  alone: SegmentEntry[];
  /** Blobs of single segments that can't be believed. */
  damaged: DamagedSegment[];
  /** In the order of their last segments. */
  merged: (ValidMerged | InvalidMerged)[];
}

const READS_IN_FLIGHT = 4;

/** Reads the log's place, from the first blob that holds a segment whose id sorts after `after`. Throws what the storage throws. */
export async function readLogContents(query: SegmentQuery, after = ""): Promise<LogContents> {
  const own: SegmentBlob[] = [];
  const shared: SegmentBlob[] = [];
  for await (const blob of listSegmentBlobs(query, after)) (blob.mergedId === undefined ? own : shared).push(blob);
  const list = await readSegmentHours(query, own);
  const merged = await Array.fromAsync(mapInOrder(shared, READS_IN_FLIGHT, (blob) => readMerged(query, blob)));
  const known = await readDamage(query);
  const { entries, damaged } = withoutDamaged(query, list, known);
  return { alone: entries, damaged, merged: merged.map((blob) => asDamaged(blob, known)) };
}

/** Signatures and sizes are known here; that the bytes behind them are bad is known where they were read. */
function withoutDamaged({ source }: SegmentQuery, list: SegmentList, known: KnownDamage): SegmentList {
  if (known.size === 0) return list;
  const place = logPlace(source);
  const entries: SegmentEntry[] = [];
  const damaged = [...list.damaged];
  for (const entry of list.entries) {
    const bad = known.get(place.nameOf(entry.id));
    if (bad === undefined) entries.push(entry);
    else damaged.push({ id: entry.id, error: bad.reason });
  }
  return { entries, damaged };
}

function asDamaged(merged: ValidMerged | InvalidMerged, known: KnownDamage): ValidMerged | InvalidMerged {
  const bad = known.get(merged.blob.name);
  return bad === undefined ? merged : { state: "invalid", blob: merged.blob, error: bad.reason };
}

/**
 * Brings the index up to what was written from `firstId` on, with the rest of that hour, so that whoever plans a restore needs
 * not read it. Losing this costs the reader that time.
 */
export async function indexSegments(query: SegmentQuery, firstId: string): Promise<void> {
  try {
    await listSegments(query, hourOf(firstId));
  } catch (error: unknown) {
    if (toAppError(error).kind !== "storage") throw error;
  }
}

/**
 * The segments of a source in one vault, from the first id that sorts after `after`. One that lies in a blob of its own and in
 * a merged one counts once, where it stands alone. Throws what the storage throws.
 */
export async function listSegments(query: SegmentQuery, after = ""): Promise<SegmentList> {
  const { alone, damaged, merged } = await readLogContents(query, after);
  if (merged.length === 0) return { entries: alone, damaged };
  const entries = new Map(alone.map((entry) => [entry.id, entry]));
  const bad = new Map(damaged.map((segment) => [segment.id, segment]));
  for (const shared of merged) {
    if (shared.state === "invalid") {
      const { lastId } = shared.blob;
      if (!bad.has(lastId)) bad.set(lastId, { id: lastId, error: shared.error });
      continue;
    }
    const added = shared.parts.filter(({ id }) => id > after && !entries.has(id));
    for (const entry of added) if (query.trusted.has(entry.signingKeyId)) entries.set(entry.id, entry);
    for (const untrusted of await readUntrusted(query, added)) bad.set(untrusted.id, untrusted);
  }
  const stillBad = [...bad.values()].filter(({ id }) => !entries.has(id));
  return { entries: [...entries.values()].toSorted(byId), damaged: stillBad.toSorted(byId) };
}

/** Segments by a key that is not trusted any more; reading them says so. */
async function readUntrusted(query: SegmentQuery, entries: readonly SegmentEntry[]): Promise<DamagedSegment[]> {
  const untrusted = entries.filter(({ signingKeyId }) => !query.trusted.has(signingKeyId));
  const segments = await Array.fromAsync(readSegments(query, untrusted));
  return segments.flatMap((segment) => (segment.state === "invalid" ? [{ id: segment.id, error: segment.error }] : []));
}

function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
