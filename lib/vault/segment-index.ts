import { z } from "zod";
import { toAppError } from "../core/errors.ts";
import type { ErrorReport } from "../core/errors.ts";
import { mapInOrder } from "./map-in-order.ts";
import { readDamage } from "./damage.ts";
import { encodeNamePart } from "./storage/blob-name.ts";
import { idOfRecord, logPlace } from "./names.ts";
import { readSegment, type SegmentQuery, type ValidSegment } from "./segment-head.ts";
import type { StateStore } from "./storage/storage.ts";

/*
 * What planning needs of each segment, kept by the hour in `log-index/{source}/{hour}` of a vault's state, for a week has
 * 60,000 of them. An entry is written after the segment's signature was verified and counts only while a blob of that name
 * and size stands there. The index is a cache: without it the manifests are read again, and a restore verifies each one anyway.
 */

const text = z.string();
const entrySchema = z.object({
  id: text,
  sizeBytes: z.int(),
  /** Of the segment before it; null where a chain starts. */
  follows: text.nullable(),
  /** Why a chain starts here. */
  start: z.object({ reason: text, message: text }).nullable(),
  firstCommitAt: text.nullable(),
  lastCommitAt: text.nullable(),
  caughtUpAt: text.nullable(),
  transactions: z.int(),
  isComplete: z.boolean(),
  plainBytes: z.int(),
  sha256: text,
  signingKeyId: text,
});
const hourSchema = z.object({ v: z.literal(1), entries: z.array(entrySchema) });

/** A segment as planning sees it. */
export type SegmentEntry = z.output<typeof entrySchema>;

/** A segment that lies there and can't be believed. */
export interface DamagedSegment {
  id: string;
  error: ErrorReport;
}

export interface SegmentList {
  /** In the order of their ids. */
  entries: SegmentEntry[];
  damaged: DamagedSegment[];
}

const HOUR_DIGITS = "20261121T23".length;
const READS_IN_FLIGHT = 16;

/** The segments of a source in one vault, from the first id that sorts after `after`. Throws what the storage throws. */
export async function listSegments(query: SegmentQuery, after = ""): Promise<SegmentList> {
  const list: SegmentList = { entries: [], damaged: [] };
  for await (const hour of mapInOrder(await stored(query, after), 4, (found) => readHour(query, found))) {
    for (const entry of hour.entries) list.entries.push(entry);
    list.damaged.push(...hour.damaged);
  }
  return withoutDamaged(query, list);
}

/** The index knows signatures and sizes; that the bytes behind them are bad is known where they were read. */
async function withoutDamaged(query: SegmentQuery, list: SegmentList): Promise<SegmentList> {
  const known = await readDamage(query);
  if (known.size === 0) return list;
  const place = logPlace(query.source);
  const entries: SegmentEntry[] = [];
  const damaged = [...list.damaged];
  for (const entry of list.entries) {
    const bad = known.get(place.nameOf(entry.id));
    if (bad === undefined) entries.push(entry);
    else damaged.push({ id: entry.id, error: bad.reason });
  }
  return { entries, damaged };
}

interface Hour {
  name: string;
  /** Sizes by id, in order. */
  sizes: Map<string, number>;
}

/** What stands in the vault, by the hour. */
async function stored({ vault, source, signal }: SegmentQuery, after: string): Promise<Hour[]> {
  const place = logPlace(source);
  const hours: Hour[] = [];
  const options = { after: `${place.prefix}${after}`, ...(signal && { signal }) };
  for await (const { name, sizeBytes } of vault.storage.data.list(place.prefix, options)) {
    const id = idOfRecord(place, name);
    if (id === undefined) continue;
    const hour = id.slice(0, HOUR_DIGITS);
    if (hours.at(-1)?.name !== hour) hours.push({ name: hour, sizes: new Map() });
    hours.at(-1)?.sizes.set(id, sizeBytes);
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
  const unread = [...hour.sizes].filter(([id]) => !known.has(id));
  const damaged: DamagedSegment[] = [];
  for await (const segment of mapInOrder(unread, READS_IN_FLIGHT, ([id, size]) => readSegment(query, id, size))) {
    if (segment.state === "valid") known.set(segment.id, toEntry(segment));
    else damaged.push({ id: segment.id, error: segment.error });
  }
  const entries = [...hour.sizes.keys()].flatMap((id) => known.get(id) ?? []);
  if (unread.length > damaged.length) await keepHour(vault.storage.state, key, entries, record?.etag);
  return { entries, damaged };
}

function toEntry({ id, sizeBytes, sha256, signingKeyId, content }: ValidSegment): SegmentEntry {
  const { follows, firstCommitAt, lastCommitAt, caughtUpAt, transactions, isComplete, data } = content;
  return {
    id,
    sizeBytes,
    follows: follows.kind === "segment" ? follows.id : null,
    start: follows.kind === "start" ? { reason: follows.reason, message: follows.message } : null,
    firstCommitAt,
    lastCommitAt,
    caughtUpAt,
    transactions,
    isComplete,
    plainBytes: data.plainBytes,
    sha256,
    signingKeyId,
  };
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
