import type { TrustedKeys } from "./keys/key.ts";
import { type Manifest, manifestKind } from "./manifest.ts";
import { dataPrefix, fullPlace, idInName, idOfRecord } from "./names.ts";
import { listRecords, readRecord, type SignedRecord, type ValidRecord } from "./record.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

/** A backup in a vault: `content` is its manifest. An invalid one is shown with its code, never left out. */
export type CatalogueEntry = SignedRecord<Manifest>;
export type ValidBackup = ValidRecord<Manifest>;

export interface CatalogueQuery extends CallOptions {
  vault: Vault;
  /** Name of the source. */
  source: string;
  trusted: TrustedKeys;
}

/**
 * The backups of a source in one vault, oldest first, every manifest read and its signature verified. Says nothing about the
 * data behind them: see `assertComplete` and `verifyVault`. Throws what the storage throws: unknown is not none.
 */
export function listBackups(query: CatalogueQuery): Promise<CatalogueEntry[]> {
  return Array.fromAsync(listRecords({ ...query, kind: manifestKind }));
}

/** One backup by its id; undefined where the vault has no manifest of it. */
export function readBackup(query: CatalogueQuery, id: string): Promise<CatalogueEntry | undefined> {
  return readRecord(id, { ...query, kind: manifestKind });
}

/** Data without a manifest: what an interrupted or running backup has uploaded so far. */
export interface Orphan {
  id: string;
  blobs: number;
  sizeBytes: number;
  /** When its newest blob was written, by the storage's clock: a young orphan may still become a backup. */
  newestAt: Date;
}

/** What lies in a vault and belongs to no backup, oldest first. */
export async function listOrphans(vault: Vault, source: string, options: CallOptions = {}): Promise<Orphan[]> {
  const orphans = new Map<string, Orphan>();
  const prefix = dataPrefix(source);
  for await (const { name, sizeBytes, createdAt } of vault.storage.data.list(prefix, options)) {
    const id = idInName(name, prefix);
    if (id === undefined) continue;
    const orphan = orphans.get(id) ?? { id, blobs: 0, sizeBytes: 0, newestAt: createdAt };
    const newestAt = createdAt > orphan.newestAt ? createdAt : orphan.newestAt;
    orphans.set(id, { id, blobs: orphan.blobs + 1, sizeBytes: orphan.sizeBytes + sizeBytes, newestAt });
  }
  // Manifests are listed after the data, so a backup that is committed meanwhile is no orphan.
  const place = fullPlace(source);
  for await (const { name } of vault.storage.data.list(place.prefix, options)) {
    const id = idOfRecord(place, name);
    if (id !== undefined) orphans.delete(id);
  }
  return [...orphans.values()];
}
