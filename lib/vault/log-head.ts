import { toAppError } from "../core/errors.ts";
import { encodeNamePart } from "./storage/blob-name.ts";
import { idOfRecord, logPlace } from "./names.ts";
import { readSegment, type Segment, type SegmentQuery, type ValidSegment } from "./segment-head.ts";

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
  const place = logPlace(query.source);
  const found: { id: string; sizeBytes: number }[] = [];
  // `after` leaves its own name out, and the segment that is named may be the last one.
  const after = `${place.prefix}${from.slice(0, -1)}`;
  for await (const { name, sizeBytes } of query.vault.storage.data.list(place.prefix, { after })) {
    const id = idOfRecord(place, name);
    if (id !== undefined) found.push({ id, sizeBytes });
  }
  const newestId = found.at(-1)?.id;
  for (const { id, sizeBytes } of found.toReversed()) {
    const segment: Segment = await readSegment(query, id, sizeBytes);
    if (segment.state === "valid") return { segment, newestId };
  }
  return from === "" && newestId !== undefined ? { segment: undefined, newestId } : undefined;
}

function keyOf({ source }: SegmentQuery): string {
  return `log-head/${encodeNamePart(source)}`;
}
