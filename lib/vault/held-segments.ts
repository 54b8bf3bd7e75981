import type { LackedBlob, LackQuery } from "./lack.ts";
import { mapInOrder } from "./map-in-order.ts";
import { readMerged } from "./merged-blob.ts";
import { type SegmentBlob, segmentIdsInName } from "./segment-blobs.ts";
import type { BlobStat } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

const READS_IN_FLIGHT = 4;

/**
 * Leaves out of what a vault lacks the blobs of the log whose every segment it holds, alone or merged with others: vaults merge their
 * segments at times of their own. `there` is what the vault holds. Throws what the storages throw.
 */
export async function withoutHeld(
  query: LackQuery,
  lacked: readonly LackedBlob[],
  there: readonly BlobStat[],
): Promise<LackedBlob[]> {
  const { source, to } = query;
  if (!lacked.some(({ name }) => segmentIdsInName(source, name))) return [...lacked];
  const held = new Set<string>();
  for await (const ids of mapInOrder(there, READS_IN_FLIGHT, (stat) => idsIn(query, to, stat))) {
    for (const id of ids ?? []) held.add(id);
  }
  const isHeld = async (blob: LackedBlob): Promise<boolean> => {
    const [holder] = blob.holders;
    const ids = holder && (await idsIn(query, holder, blob));
    return ids?.every((id) => held.has(id)) ?? false;
  };
  const verdicts = await Array.fromAsync(mapInOrder(lacked, READS_IN_FLIGHT, isHeld));
  return lacked.filter((_blob, index) => !verdicts[index]);
}

/** Undefined for a blob that is none of the log, or can't be believed. */
async function idsIn(query: LackQuery, vault: Vault, stat: BlobStat): Promise<string[] | undefined> {
  const ids = segmentIdsInName(query.source, stat.name);
  if (ids === undefined) return undefined;
  if (ids.mergedId === undefined) return [ids.lastId];
  const blob: SegmentBlob = { ...stat, ...ids };
  const merged = await readMerged({ ...query, vault }, blob);
  return merged.state === "valid" ? merged.parts.map(({ id }) => id) : undefined;
}
