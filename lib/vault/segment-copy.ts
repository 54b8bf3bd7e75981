import { toAppError } from "../core/errors.ts";
import { copyBlob } from "./copy-blob.ts";
import { mapInOrder } from "./map-in-order.ts";
import { type MergedQuery, readMerged } from "./merged-blob.ts";
import { listSegmentBlobs, type SegmentBlob } from "./segment-blobs.ts";
import { listSegments } from "./segment-index.ts";
import type { Vault } from "./vault.ts";

export interface SegmentCopyReport {
  /** Blobs. */
  copied: number;
  /** What `catchUp` is left with: too many to wait for, or not whole where they come from. */
  left: number;
}

const COPIES_IN_FLIGHT = 4;
/** More than this, an hour of shipping at most, would keep the source's newest log waiting. */
const MOST = 200;

/**
 * Copies the few segments after `after` that the vault of `from` has and `to` lacks, oldest first. Throws what the storages throw.
 */
export async function copyMissingSegments(from: MergedQuery, to: Vault, after: string): Promise<SegmentCopyReport> {
  const { entries, damaged } = await listSegments({ ...from, vault: to }, after);
  const there = new Set([...entries, ...damaged].map(({ id }) => id));
  const missing: SegmentBlob[] = [];
  for await (const blob of listSegmentBlobs(from, after)) {
    if ((await idsIn(from, blob)).some((id) => id > after && !there.has(id))) missing.push(blob);
  }
  if (missing.length > MOST) return { copied: 0, left: missing.length };
  const copyNext = ({ name }: SegmentBlob) =>
    isCopied({ ...from, from: from.vault, to, name, expected: "record" as const });
  const results = await Array.fromAsync(mapInOrder(missing, COPIES_IN_FLIGHT, copyNext));
  const copied = results.filter(Boolean).length;
  return { copied, left: missing.length - copied };
}

/** False for one that is damaged: it must not keep the log after it from being shipped. */
async function isCopied(request: Parameters<typeof copyBlob>[0]): Promise<boolean> {
  try {
    await copyBlob(request);
    return true;
  } catch (error: unknown) {
    if (toAppError(error).kind !== "verify") throw error;
    return false;
  }
}

async function idsIn(query: MergedQuery, blob: SegmentBlob): Promise<string[]> {
  if (blob.mergedId === undefined) return [blob.lastId];
  const merged = await readMerged(query, blob);
  return merged.state === "valid" ? merged.parts.map(({ id }) => id) : [];
}
