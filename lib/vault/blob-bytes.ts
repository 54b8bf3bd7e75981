import { toAppError } from "../core/errors.ts";
import { findInMerged, type MergedQuery } from "./merged-blob.ts";
import { idOfRecord, logPlace } from "./names.ts";
import { encodeHead, readManifest } from "./segment-head.ts";
import { SEGMENT_HEAD_BYTES } from "./segment-place.ts";

/**
 * The bytes of a blob; of a segment that lies only in a merged one, the bytes that its own had. Not compared with anything. Throws
 * BLOB_MISSING and what the storage throws.
 */
export async function* readBlobBytes(query: MergedQuery, name: string): AsyncGenerator<Buffer, void, void> {
  const { vault, signal } = query;
  const options = signal ? { signal } : {};
  let isBegun = false;
  try {
    for await (const piece of vault.storage.data.read(name, undefined, options)) {
      isBegun = true;
      yield piece;
    }
    return;
  } catch (error: unknown) {
    const id = idOfRecord(logPlace(query.source), name);
    if (isBegun || id === undefined || toAppError(error).code !== "BLOB_MISSING") throw error;
    const place = await findInMerged(query, id);
    if (place === undefined) throw error;
    const { name: blob, envelope, dataOffset } = await readManifest(query, place);
    yield encodeHead(envelope);
    const length = place.sizeBytes - SEGMENT_HEAD_BYTES - envelope.length;
    yield* vault.storage.data.read(blob, { offset: dataOffset, length }, options);
  }
}
