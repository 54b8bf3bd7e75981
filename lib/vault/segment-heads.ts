import { AppError } from "../core/errors.ts";
import { mapInOrder } from "./map-in-order.ts";
import { readRange } from "./read-range.ts";
import {
  invalidSegment,
  openManifest,
  readSegment,
  type Segment,
  type SegmentQuery,
  type ValidSegment,
} from "./segment-head.ts";
import type { MergedPlace, SegmentPlace } from "./segment-place.ts";

const READS_IN_FLIGHT = 16;
const READ_BYTES = 512 * 1024;

/** As `readSegment`, of many, in their order; manifests that stand next to each other in a merged blob are read at once. */
export async function* readSegments(
  query: SegmentQuery,
  places: Iterable<SegmentPlace>,
): AsyncGenerator<Segment, void, void> {
  const groups = mapInOrder(neighbours(places), READS_IN_FLIGHT, (group) => readGroup(query, group));
  for await (const segments of groups) yield* segments;
}

/** As `readSegments`. Throws the code of one that can't be believed. */
export async function* readValidSegments(
  query: SegmentQuery,
  places: Iterable<SegmentPlace>,
): AsyncGenerator<ValidSegment, void, void> {
  for await (const segment of readSegments(query, places)) yield assertValid(segment);
}

/** Throws what is wrong with the segment. */
export function assertValid(segment: Segment): ValidSegment {
  if (segment.state === "valid") return segment;
  const { code, message, hint } = segment.error;
  throw new AppError(code, message, hint === undefined ? {} : { hint });
}

function* neighbours(places: Iterable<SegmentPlace>): Generator<SegmentPlace[], void, void> {
  let group: SegmentPlace[] = [];
  for (const place of places) {
    if (group.length > 0 && !goesOn(group[0]?.merged, group.at(-1)?.merged, place.merged)) {
      yield group;
      group = [];
    }
    group.push(place);
  }
  if (group.length > 0) yield group;
}

function goesOn(first?: MergedPlace, last?: MergedPlace, next?: MergedPlace): boolean {
  if (first === undefined || last === undefined || next === undefined || next.blob !== first.blob) return false;
  const isNext = next.manifestOffset === last.manifestOffset + last.manifestBytes;
  return isNext && next.manifestOffset + next.manifestBytes - first.manifestOffset <= READ_BYTES;
}

async function readGroup(query: SegmentQuery, group: readonly SegmentPlace[]): Promise<Segment[]> {
  const first = group[0]?.merged;
  if (first === undefined) return Promise.all(group.map((place) => readSegment(query, place)));
  const length = group.reduce((sum, { merged }) => sum + (merged?.manifestBytes ?? 0), 0);
  const options = query.signal ? { signal: query.signal } : {};
  try {
    const bytes = await readRange(query.vault, first.blob, first.manifestOffset, length, options);
    return group.map((place) => openPart(query, place, bytes, first.manifestOffset));
  } catch (error: unknown) {
    return group.map((place) => invalidSegment(query, place, error));
  }
}

function openPart(query: SegmentQuery, place: SegmentPlace, bytes: Buffer, start: number): Segment {
  if (place.merged === undefined) throw new AppError("INVARIANT", `segment ${place.id}: not in a merged blob`);
  const { blob, manifestOffset, manifestBytes, dataOffset } = place.merged;
  const from = manifestOffset - start;
  try {
    const envelope = bytes.subarray(from, from + manifestBytes);
    return openManifest(query, place, { name: blob, envelope, dataOffset });
  } catch (error: unknown) {
    return invalidSegment(query, place, error);
  }
}
