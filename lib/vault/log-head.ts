import { toAppError } from "../core/errors.ts";
import { encodeNamePart } from "./storage/blob-name.ts";
import { readMerged } from "./merged-blob.ts";
import { listSegmentBlobs, type SegmentBlob } from "./segment-blobs.ts";
import { readSegment, type SegmentQuery, type ValidSegment } from "./segment-head.ts";
import type { SegmentPlace } from "./segment-place.ts";

/*
 * `log-head/{source}` in a vault's state names a segment near the end of the log, so that finding the end is a short listing.
 * It may be old or absent: the listing then starts earlier.
 */

/** The end of a source's log in one vault. */
export interface LogHead {
  /** The newest one that can be believed. */
  segment: ValidSegment | undefined;
  /** Newest id that is there, believed or not. */
  newestId: string | undefined;
}

/** Finds the end of the log. Damaged segments at the end are passed over: what they held is to be shipped again. */
export async function findLogHead(query: SegmentQuery): Promise<LogHead> {
  const hint = await query.vault.storage.state.get(keyOf(query));
  const near = hint?.value.toString("utf8") ?? "";
  const nearby = near === "" ? undefined : await headAfter(query, near);
  return nearby ?? (await headAfter(query, "")) ?? { segment: undefined, newestId: undefined };
}

/** Remembers a segment near the end. Losing this costs a longer listing. */
export async function rememberLogHead(query: SegmentQuery, id: string): Promise<void> {
  const { state } = query.vault.storage;
  try {
    const known = await state.get(keyOf(query));
    await state.put(keyOf(query), Buffer.from(id), known ? { etag: known.etag } : "absent");
  } catch (error: unknown) {
    if (toAppError(error).kind !== "storage") throw error;
  }
}

/** Undefined where no valid segment comes at or after that id. */
async function headAfter(query: SegmentQuery, from: string): Promise<LogHead | undefined> {
  // `after` leaves its own name out, and the segment that is named may be the last one.
  const found = await Array.fromAsync(listSegmentBlobs(query, from.slice(0, -1)));
  const newestId = found.at(-1)?.lastId;
  for (const blob of found.toReversed()) {
    for (const place of (await placesIn(query, blob)).toReversed()) {
      const segment = await readSegment(query, place);
      if (segment.state === "valid") return { segment, newestId };
    }
  }
  return from === "" && newestId !== undefined ? { segment: undefined, newestId } : undefined;
}

async function placesIn(query: SegmentQuery, blob: SegmentBlob): Promise<SegmentPlace[]> {
  if (blob.mergedId === undefined) return [{ id: blob.lastId, sizeBytes: blob.sizeBytes }];
  const merged = await readMerged(query, blob);
  return merged.state === "valid" ? merged.parts : [];
}

function keyOf({ source }: SegmentQuery): string {
  return `log-head/${encodeNamePart(source)}`;
}
