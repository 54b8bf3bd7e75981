import { z } from "zod";
import { type ErrorReport, toAppError } from "../core/errors.ts";
import { mapInOrder } from "./map-in-order.ts";
import { encodeNamePart } from "./storage/blob-name.ts";
import type { SegmentBlob } from "./segment-blobs.ts";
import { factsOf, segmentFacts } from "./segment-facts.ts";
import type { SegmentQuery } from "./segment-head.ts";
import { readSegments } from "./segment-heads.ts";
import { hourOf, type SegmentEntry } from "./segment-place.ts";
import type { StateStore } from "./storage/storage.ts";

/*
 * What planning needs of each segment with a blob of its own, kept by the hour in `log-index/{source}/{hour}` of a vault's
 * state. An entry is written after the segment's signature was verified and counts only while a blob of that name and size
 * stands there. The index is a cache: without it the manifests are read again, and a restore verifies each one anyway.
 */

const hourSchema = z.object({
  v: z.literal(1),
  entries: z.array(z.object({ ...segmentFacts, sizeBytes: z.int() })),
});

/** A segment that lies there and can't be believed; of a merged blob that can't be, its last one. */
export interface DamagedSegment {
  id: string;
  error: ErrorReport;
}

export interface SegmentList {
  /** In the order of their ids. */
  entries: SegmentEntry[];
  damaged: DamagedSegment[];
}

const HOURS_IN_FLIGHT = 4;

/** The segments in blobs of their own, given in the order of their ids. Throws what the storage throws. */
export async function readSegmentHours(query: SegmentQuery, blobs: readonly SegmentBlob[]): Promise<SegmentList> {
  const list: SegmentList = { entries: [], damaged: [] };
  for await (const hour of mapInOrder(byHour(blobs), HOURS_IN_FLIGHT, (found) => readHour(query, found))) {
    for (const entry of hour.entries) list.entries.push(entry);
    list.damaged.push(...hour.damaged);
  }
  return list;
}

interface Hour {
  name: string;
  /** Sizes by id, in order. */
  sizes: Map<string, number>;
}

function byHour(blobs: readonly SegmentBlob[]): Hour[] {
  const hours: Hour[] = [];
  for (const { lastId, sizeBytes } of blobs) {
    const name = hourOf(lastId);
    if (hours.at(-1)?.name !== name) hours.push({ name, sizes: new Map() });
    hours.at(-1)?.sizes.set(lastId, sizeBytes);
  }
  return hours;
}

async function readHour(query: SegmentQuery, hour: Hour): Promise<SegmentList> {
  const { vault, source, trusted } = query;
  const key = `log-index/${encodeNamePart(source)}/${hour.name}`;
  const record = await vault.storage.state.get(key);
  const known = new Map<string, SegmentEntry>();
  for (const entry of record === undefined ? [] : parseHour(record.value)) {
    if (hour.sizes.get(entry.id) === entry.sizeBytes && trusted.has(entry.signingKeyId)) known.set(entry.id, entry);
  }
  const unread = Array.from(hour.sizes, ([id, sizeBytes]) => ({ id, sizeBytes })).filter(({ id }) => !known.has(id));
  const damaged: DamagedSegment[] = [];
  for await (const segment of readSegments(query, unread)) {
    const { id, sizeBytes } = segment;
    if (segment.state === "valid") known.set(id, { ...factsOf(segment), sizeBytes });
    else damaged.push({ id, error: segment.error });
  }
  const entries = [...hour.sizes.keys()].flatMap((id) => known.get(id) ?? []);
  if (unread.length > damaged.length) await keepHour(vault.storage.state, key, entries, record?.etag);
  return { entries, damaged };
}

function parseHour(value: Buffer): SegmentEntry[] {
  try {
    return hourSchema.safeParse(JSON.parse(value.toString("utf8"))).data?.entries ?? [];
  } catch {
    return [];
  }
}

/** A reader without the right to write state, or one that another was faster than, has its list all the same. */
async function keepHour(state: StateStore, key: string, entries: SegmentEntry[], etag?: string): Promise<void> {
  const value = Buffer.from(JSON.stringify({ v: 1, entries }));
  try {
    await state.put(key, value, etag === undefined ? "absent" : { etag });
  } catch (error: unknown) {
    if (toAppError(error).kind !== "storage") throw error;
  }
}
