import type { TrustedKeys } from "./keys/key.ts";
import { type Manifest, manifestKind } from "./manifest.ts";
import { type DataFolder, listDataFolders } from "./data-folders.ts";
import { mapInOrder } from "./map-in-order.ts";
import { fullPlace, idOfRecord, revisionIn } from "./names.ts";
import { type InvalidRecord, listRecords, readRecord, type SignedRecord, type ValidRecord } from "./record.ts";
import { readRevisions, type StoredRevision, withRecipients } from "./revisions.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

/** A backup in a vault. An invalid one is shown with its code, never left out. */
export type CatalogueEntry = ValidBackup | InvalidRecord;

/** `content` is its manifest, with the recipients of all its revisions, those of the newest first. */
export interface ValidBackup extends ValidRecord<Manifest> {
  /** The newest first. */
  revisions?: StoredRevision[];
}

export interface CatalogueQuery extends CallOptions {
  vault: Vault;
  /** Name of the source. */
  source: string;
  trusted: TrustedKeys;
}

/**
 * The backups of a source in one vault, oldest first, every manifest read and its signature verified. Says nothing about the
 * data behind them: see `assertComplete` and `verifySource`. Throws what the storage throws: unknown is not none.
 */
export async function listBackups(query: CatalogueQuery): Promise<CatalogueEntry[]> {
  const beside = new Map<string, string[]>();
  const onOther = (name: string): void => {
    const place = revisionIn(query.source, name);
    if (place) beside.set(place.id, [...(beside.get(place.id) ?? []), name]);
  };
  const records = await Array.fromAsync(listRecords({ ...query, kind: manifestKind, onOther }));
  const revised = mapInOrder(records, REVISED_AT_ONCE, (record) => revise(query, record, beside.get(record.id) ?? []));
  return Array.fromAsync(revised);
}

/** One backup by its id; undefined where the vault has no manifest of it. */
export async function readBackup(query: CatalogueQuery, id: string): Promise<CatalogueEntry | undefined> {
  const record = await readRecord(id, { ...query, kind: manifestKind });
  if (record === undefined) return undefined;
  const { vault, source, signal } = query;
  const folder = `${fullPlace(source).prefix}${id}/`;
  const names = await Array.fromAsync(vault.storage.data.list(folder, signal ? { signal } : {}), ({ name }) => name);
  const revisions = names.filter((name) => revisionIn(source, name) !== undefined);
  return revise(query, record, revisions);
}

const REVISED_AT_ONCE = 8;

async function revise(
  query: CatalogueQuery,
  record: SignedRecord<Manifest>,
  names: readonly string[],
): Promise<CatalogueEntry> {
  if (record.state === "invalid" || names.length === 0) return record;
  const revisions = await readRevisions(query, record, names);
  return { ...record, content: withRecipients(record.content, revisions), revisions };
}

/** What lies in a vault and belongs to no backup, oldest first. */
export async function listOrphans(vault: Vault, source: string, options: CallOptions = {}): Promise<DataFolder[]> {
  const folders = await listDataFolders(vault, source, options);
  // Manifests are listed after the data, so a backup that is committed meanwhile is no orphan.
  const place = fullPlace(source);
  for await (const { name } of vault.storage.data.list(place.prefix, options)) {
    const id = idOfRecord(place, name);
    if (id !== undefined) folders.delete(id);
  }
  return [...folders.values()];
}
