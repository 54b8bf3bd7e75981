import type { DecryptionKey } from "./keys/key.ts";
import { compareBlob } from "./compare-blob.ts";
import { mapInOrder } from "./map-in-order.ts";
import { readMerged } from "./merged-blob.ts";
import { logPlace } from "./names.ts";
import { proveMerged } from "./prove-merged.ts";
import { listRemovals } from "./removal.ts";
import type { SegmentBlob } from "./segment-blobs.ts";
import { readSegment, type SegmentQuery, type ValidSegment } from "./segment-head.ts";
import { SegmentReader } from "./segment-reader.ts";
import type { VerifyTally } from "./verify-report.ts";

/** Segments are small; reading one after the other would mostly wait. */
const READS_IN_FLIGHT = 8;

/** What is true of one blob: the segments whose manifests can be believed; undefined where it was not looked at, or not seen whole. */
type Seen = ValidSegment[] | undefined;

/**
 * Reads every blob of the log back, newest first: signatures, sizes and SHA-256, with private keys the chunks as well. A
 * segment that another one follows and that is not there is a gap, and counts as failed under its own name.
 */
export async function verifySegments(
  query: SegmentQuery,
  stored: readonly SegmentBlob[],
  deep: readonly DecryptionKey[] | undefined,
  tally: VerifyTally,
): Promise<void> {
  const reader = deep && new SegmentReader(query, deep);
  const ids = new Set(stored.map(({ lastId }) => lastId));
  const followed = new Map<string, string>();
  // What a merged blob holds that was not seen whole may be what is missed.
  let unseenUntil = "";
  const verify = async (blob: SegmentBlob) => ({ blob, seen: await verifyBlob(query, blob, reader, tally) });
  for await (const { blob, seen } of mapInOrder(stored.toReversed(), READS_IN_FLIGHT, verify)) {
    if (seen === undefined && blob.mergedId !== undefined && blob.lastId > unseenUntil) unseenUntil = blob.lastId;
    for (const { id, content } of seen?.toReversed() ?? []) {
      ids.add(id);
      // A branch may have left the log there; one that is missing is missing once.
      if (content.follows.kind === "segment" && !followed.has(content.follows.id)) followed.set(content.follows.id, id);
    }
  }
  const missing = Array.from(followed).filter(([id]) => !ids.has(id) && id > unseenUntil);
  const removals = await listRemovals({ ...query, wanted: missing.map(([id]) => id) });
  for (const [id, follower] of missing) {
    // What was merged before its blob went has to be in the merged one, and would have been seen there.
    if (removals.has(id) && removals.get(id)?.replacedBy === undefined) continue;
    const message = `segment ${id}, which ${follower} follows, is not there`;
    tally.fail(logPlace(query.source).nameOf(id), "LOG_GAP", message);
  }
}

async function verifyBlob(
  query: SegmentQuery,
  blob: SegmentBlob,
  reader: SegmentReader | undefined,
  tally: VerifyTally,
): Promise<Seen> {
  if (tally.isOver) {
    tally.report.notLooked++;
    return undefined;
  }
  return blob.mergedId === undefined
    ? verifyAlone(query, blob, reader, tally)
    : verifyMerged(query, blob, reader, tally);
}

async function verifyAlone(
  query: SegmentQuery,
  { lastId, sizeBytes, name }: SegmentBlob,
  reader: SegmentReader | undefined,
  tally: VerifyTally,
): Promise<Seen> {
  let seen: Seen;
  try {
    const found = await readSegment(query, { id: lastId, sizeBytes });
    if (found.state === "invalid") {
      tally.fail(name, found.error.code, found.error.message);
      return undefined;
    }
    seen = [found];
    tally.read(found.dataOffset);
    await verifyData(query, found, reader, tally);
    tally.report.proven++;
  } catch (error: unknown) {
    tally.judge(name, error);
  }
  return seen;
}

/** One blob, however many segments are in it: it is proven when all of them are. */
async function verifyMerged(
  query: SegmentQuery,
  blob: SegmentBlob,
  reader: SegmentReader | undefined,
  tally: VerifyTally,
): Promise<Seen> {
  let seen: Seen;
  try {
    const merged = await readMerged(query, blob);
    if (merged.state === "invalid") {
      tally.fail(blob.name, merged.error.code, merged.error.message);
      return undefined;
    }
    const { segments, problems } = await proveMerged(query, merged, (bytes) => tally.read(bytes));
    const [first] = problems;
    if (first !== undefined) {
      tally.fail(
        blob.name,
        first.error.code,
        `segment ${first.id}, of ${problems.length} wrong: ${first.error.message}`,
      );
      return undefined;
    }
    seen = segments;
    if (reader) for (const segment of segments) await readThrough(reader, segment, query.signal);
    tally.report.proven++;
  } catch (error: unknown) {
    tally.judge(blob.name, error);
  }
  return seen;
}

async function readThrough(reader: SegmentReader, segment: ValidSegment, signal?: AbortSignal): Promise<void> {
  const chunks = reader.read(segment, signal);
  while (!(await chunks.next()).done) signal?.throwIfAborted();
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
  await readThrough(reader, segment, query.signal);
  tally.read(data.sizeBytes);
}
