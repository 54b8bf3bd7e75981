import { dataPrefix, idInName } from "./names.ts";
import type { BlobStat, CallOptions, Tier } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

/** The sealed blobs of one backup, or of one that never became one. */
export interface DataFolder {
  id: string;
  blobs: number;
  sizeBytes: number;
  /** When its newest blob was written, by the storage's clock: data without a manifest may still become a backup. */
  newestAt: Date;
  /** Every blob of it is kept by the storage until then, as it says itself; undefined where one is not. */
  immutableUntil: Date | undefined;
  /** Some blob of it is kept by the storage until then. */
  removableFrom: Date | undefined;
  /** Some blob of it is under a legal hold of the storage. */
  legalHold: boolean;
  /** Bytes in each tier; empty where the storage has no tiers. */
  tiers: ReadonlyMap<Tier, number>;
}

/** The data of a source in a vault by the ids of its backups, oldest first, from one listing. */
export async function listDataFolders(
  vault: Vault,
  source: string,
  options: CallOptions = {},
): Promise<Map<string, DataFolder>> {
  const folders = new Map<string, DataFolder>();
  const prefix = dataPrefix(source);
  for await (const stat of vault.storage.data.list(prefix, options)) {
    const id = idInName(stat.name, prefix);
    if (id !== undefined) folders.set(id, withBlob(folders.get(id) ?? emptyFolder(id, stat), stat));
  }
  return folders;
}

function emptyFolder(id: string, { createdAt, immutableUntil }: BlobStat): DataFolder {
  const protection = { immutableUntil, removableFrom: undefined, legalHold: false };
  return { id, blobs: 0, sizeBytes: 0, newestAt: createdAt, ...protection, tiers: new Map() };
}

function withBlob(folder: DataFolder, stat: BlobStat): DataFolder {
  const { id, blobs, sizeBytes, newestAt, immutableUntil, removableFrom, legalHold, tiers } = folder;
  return {
    id,
    blobs: blobs + 1,
    sizeBytes: sizeBytes + stat.sizeBytes,
    newestAt: later(newestAt, stat.createdAt) ?? newestAt,
    immutableUntil: earlier(immutableUntil, stat.immutableUntil),
    removableFrom: later(removableFrom, stat.immutableUntil),
    legalHold: legalHold || stat.legalHold === true,
    tiers: stat.tier ? new Map(tiers).set(stat.tier, (tiers.get(stat.tier) ?? 0) + stat.sizeBytes) : tiers,
  };
}

/** The earlier of two instants; undefined where one of them is. */
export function earlier(one: Date | undefined, other: Date | undefined): Date | undefined {
  if (one === undefined || other === undefined) return undefined;
  return one < other ? one : other;
}

/** The later of two instants, or the one there is. */
export function later(one: Date | undefined, other: Date | undefined): Date | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one > other ? one : other;
}
