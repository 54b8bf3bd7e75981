import { toAppError } from "../core/errors.ts";
import { type MergedQuery, readMerged } from "./merged-blob.ts";
import { listSegmentBlobs, type SegmentBlob } from "./segment-blobs.ts";
import { listSegments } from "./segment-index.ts";
import type { Vault } from "./vault.ts";

/**
 * Copies the segments after `after` that the vault of `from` has and `to` lacks, oldest first, and returns how many blobs that
 * were. Bytes are copied as they are: signature and seal do not depend on the vault.
 */
export async function copyMissingSegments(from: MergedQuery, to: Vault, after: string): Promise<number> {
  const options = from.signal ? { signal: from.signal } : {};
  const { entries, damaged } = await listSegments({ ...from, vault: to }, after);
  const there = new Set([...entries, ...damaged].map(({ id }) => id));
  let copied = 0;
  for await (const blob of listSegmentBlobs(from, after)) {
    if (!(await idsIn(from, blob)).some((id) => id > after && !there.has(id))) continue;
    try {
      await to.storage.data.create(blob.name, from.vault.storage.data.read(blob.name, undefined, options), options);
      copied++;
    } catch (error: unknown) {
      if (toAppError(error).code !== "BLOB_EXISTS") throw error;
    }
  }
  return copied;
}

async function idsIn(query: MergedQuery, blob: SegmentBlob): Promise<string[]> {
  if (blob.mergedId === undefined) return [blob.lastId];
  const merged = await readMerged(query, blob);
  return merged.state === "valid" ? merged.parts.map(({ id }) => id) : [];
}
