import { idOfRecord, idsInMergedName, logPlace } from "./names.ts";
import type { BlobStat, CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

/** A blob in the place of a source's log: one segment, or many that were merged. */
export interface SegmentBlob extends LogBlob, BlobStat {}

/** The same by its name and size alone. */
export interface LogBlob extends Pick<BlobStat, "name" | "sizeBytes"> {
  /** Of its only segment, or of the last that was merged into it. */
  lastId: string;
  /** Of the blob itself, where segments were merged into it. */
  mergedId: string | undefined;
}

export interface SegmentBlobQuery extends CallOptions {
  vault: Vault;
  source: string;
}

/**
 * The blobs of a source's log in the order of their last segments, from the first that holds one whose id sorts after `after`.
 * Nothing is read: `readMerged` tells what a merged one holds. Throws what the storage throws.
 */
export async function* listSegmentBlobs(
  { vault, source, signal }: SegmentBlobQuery,
  after = "",
): AsyncGenerator<SegmentBlob, void, void> {
  const { prefix } = logPlace(source);
  const options = { after: `${prefix}${after}`, ...(signal && { signal }) };
  for await (const stat of vault.storage.data.list(prefix, options)) {
    const ids = segmentIdsInName(source, stat.name);
    // A merged blob sorts right behind its last segment.
    if (ids !== undefined && ids.lastId !== after) yield { ...stat, ...ids };
  }
}

/** The ids in a name in the log's place; undefined for any other. */
export function segmentIdsInName(source: string, name: string): Pick<SegmentBlob, "lastId" | "mergedId"> | undefined {
  const own = idOfRecord(logPlace(source), name);
  return own === undefined ? idsInMergedName(source, name) : { lastId: own, mergedId: undefined };
}
