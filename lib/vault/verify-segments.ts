import type { DecryptionKey } from "./keys/key.ts";
import { mapInOrder } from "./map-in-order.ts";
import { idOfRecord, logPlace } from "./names.ts";
import { listRemovals } from "./removal.ts";
import { readSegment, type SegmentQuery, type ValidSegment } from "./segment-head.ts";
import { SegmentReader } from "./segment-reader.ts";
import { compareBlob } from "./compare-blob.ts";
import type { VerifyTally } from "./verify-report.ts";

export interface StoredSegment {
  id: string;
  /** Of the whole blob. */
  sizeBytes: number;
}

/** Segments are small; reading one after the other would mostly wait. */
const READS_IN_FLIGHT = 8;

/** What stands in the log's place, in the order of the ids. Throws what the storage throws. */
export async function storedSegments({ vault, source, signal }: SegmentQuery): Promise<StoredSegment[]> {
  const place = logPlace(source);
  const found: StoredSegment[] = [];
  for await (const { name, sizeBytes } of vault.storage.data.list(place.prefix, signal ? { signal } : {})) {
    const id = idOfRecord(place, name);
    if (id !== undefined) found.push({ id, sizeBytes });
  }
  return found;
}

/**
 * Reads every log segment back, newest first: its signature, size and SHA-256, with private keys its chunks as well. A segment
 * that another one follows and that is not there is a gap, and counts as failed under its own name.
 */
export async function verifySegments(
  query: SegmentQuery,
  stored: readonly StoredSegment[],
  deep: readonly DecryptionKey[] | undefined,
  tally: VerifyTally,
): Promise<void> {
  const reader = deep && new SegmentReader(query.vault, deep);
  const ids = new Set(stored.map(({ id }) => id));
  const verify = (segment: StoredSegment) => verifySegment(query, segment, reader, tally);
  // A branch may have left the log there; one that is missing is missing once.
  const missing = new Map<string, string>();
  for await (const segment of mapInOrder(stored.toReversed(), READS_IN_FLIGHT, verify)) {
    if (segment?.content.follows.kind !== "segment") continue;
    const { id } = segment.content.follows;
    if (!ids.has(id) && !missing.has(id)) missing.set(id, segment.id);
  }
  const removals = await listRemovals({ ...query, wanted: missing.keys() });
  for (const [id, follower] of missing) {
    if (removals.has(id)) continue;
    const message = `segment ${id}, which ${follower} follows, is not there`;
    tally.fail(logPlace(query.source).nameOf(id), "LOG_GAP", message);
  }
}

/** The segment when its manifest can be believed; undefined also when it was not looked at. */
async function verifySegment(
  query: SegmentQuery,
  { id, sizeBytes }: StoredSegment,
  reader: SegmentReader | undefined,
  tally: VerifyTally,
): Promise<ValidSegment | undefined> {
  if (tally.isOver) {
    tally.report.notLooked++;
    return undefined;
  }
  const name = logPlace(query.source).nameOf(id);
  let segment: ValidSegment | undefined;
  try {
    const found = await readSegment(query, id, sizeBytes);
    if (found.state === "invalid") {
      tally.fail(name, found.error.code, found.error.message);
      return undefined;
    }
    segment = found;
    tally.read(segment.dataOffset);
    await verifyData(query, segment, reader, tally);
    tally.report.proven++;
  } catch (error: unknown) {
    tally.judge(name, error);
  }
  return segment;
}

async function verifyData(
  query: SegmentQuery,
  segment: ValidSegment,
  reader: SegmentReader | undefined,
  tally: VerifyTally,
): Promise<void> {
  const { data } = segment.content;
  // The reader looks at no segment without log in it.
  if (reader === undefined || data.plainBytes === 0) {
    const place = { vault: query.vault, name: segment.name, offset: segment.dataOffset };
    await compareBlob(place, data, { signal: query.signal, onRead: (bytes) => tally.read(bytes) });
    return;
  }
  const chunks = reader.read(segment, query.signal);
  while (!(await chunks.next()).done) query.signal?.throwIfAborted();
  tally.read(data.sizeBytes);
}
