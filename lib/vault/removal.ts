import { z } from "zod";
import { newId } from "../core/ids.ts";
import type { Clock } from "../core/time.ts";
import type { TrustedKeys } from "./keys/key.ts";
import type { SessionSigner } from "./keys/session-key.ts";
import { linksSchema, parseVersioned, toolSchema } from "./manifest.ts";
import { mapInOrder } from "./map-in-order.ts";
import { dataPrefix, fullPlace, idOfRecord, logPlace, proofsPlace, removalPlace, runPlace } from "./names.ts";
import { type VaultOutcome, VaultOutcomes } from "./outcome.ts";
import { listRecords, readRecord, type RecordKind, type SignedRecord } from "./record.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";
import { writeRecord } from "./write-record.ts";

/*
 * What is removed from a vault is announced first, by a signed record that stays: so a backup that retention took is told from
 * one that somebody took. A record allows nothing by itself. Whoever backs up can sign one too, and must not be able to make
 * another delete: a run that died after its record is not continued from it, the next run decides anew and announces again.
 */

const VERSION = 1;
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const itemSchema = z.object({
  /** `orphan`: data without a manifest. `proofs`: a ledger of proofs. */
  kind: z.enum(["full", "orphan", "segment", "run", "proofs"]),
  id: z.string(),
  /** Of the record as its successor names it; an orphan has none. */
  sha256: sha256.optional(),
  /** Of all its blobs, as the storage counted them. */
  sizeBytes: z.int().nonnegative(),
  /** Names of the blobs that hold a segment, where it has no blob of its own alone. */
  blobs: z.array(z.string()).optional(),
  /** Why this one. */
  why: z.string().optional(),
  /** The record in the same vault that holds what this one held. */
  replacedBy: z.string().optional(),
});

const removalSchema = z.object({
  format: z.literal("resguardo-removal"),
  version: z.literal(VERSION),
  id: z.string(),
  source: z.string(),
  /** What led to it: "retention", "compaction", … */
  reason: z.string(),
  announcedAt: z.iso.datetime(),
  environment: z.string(),
  tool: toolSchema,
  policyHash: z.string(),
  items: z.array(itemSchema).min(1),
  /** The vaults that the items are removed from. */
  vaults: linksSchema,
});

export type RemovedItem = z.output<typeof itemSchema>;
export type Removal = z.output<typeof removalSchema>;
export type RemovalEntry = SignedRecord<Removal>;

const removalKind: RecordKind<Removal> = {
  type: "resguardo-removal",
  placeOf: removalPlace,
  parse: (payload, name) => parseVersioned(payload, removalSchema, "resguardo-removal", VERSION, name),
};

export interface RemovalToRecord extends Pick<
  Removal,
  "source" | "reason" | "environment" | "tool" | "policyHash" | "items"
> {
  vaults: readonly Vault[];
  signer: SessionSigner;
  clock: Clock;
}

/** Announces what is to be removed from these vaults. Throws when none took the record: then nothing may be removed. */
export async function recordRemoval(
  removal: RemovalToRecord,
): Promise<{ record: Removal; sha256: string; vaults: VaultOutcome[] }> {
  const { vaults, signer, clock, ...content } = removal;
  const outcomes = new VaultOutcomes(vaults);
  const now = clock();
  const head = {
    format: "resguardo-removal",
    version: VERSION,
    id: newId(now),
    announcedAt: now.toISOString(),
  } as const;
  const contentOf = (links: Removal["vaults"]): Removal => ({ ...head, ...content, vaults: links });
  const toWrite = { kind: removalKind, source: content.source, id: head.id, contentOf, signer, clock };
  const written = await writeRecord(toWrite, outcomes);
  return { record: written.content, sha256: written.sha256, vaults: outcomes.report() };
}

const REMOVALS_IN_FLIGHT = 16;

/**
 * Removes what a record has announced from one vault. A manifest goes before its data: a backup ends to exist at once, and what
 * a killed process leaves is an orphan. What is gone already is fine. Throws what the storage throws, and the signal's reason.
 */
export async function removeRecorded(vault: Vault, record: Removal, options: CallOptions = {}): Promise<void> {
  const { source, items } = record;
  // Segments share blobs.
  const blobs = new Set(items.flatMap((item) => blobsOf(item, source)));
  await removeEach([...blobs], options, (name) => vault.storage.data.remove(name));
  await removeEach(items, options, (item) => removeFolders(vault, source, item, options));
}

/** The blobs that go with an item that is one blob, or a part of some; none for a backup. */
export function blobsOf({ kind, id, blobs }: RemovedItem, source: string): readonly string[] {
  switch (kind) {
    case "segment":
      return blobs ?? [logPlace(source).nameOf(id)];
    case "run":
      return [runPlace(source).nameOf(id)];
    case "proofs":
      return [proofsPlace(source).nameOf(id)];
    case "full":
    case "orphan":
      return [];
  }
}

async function removeFolders(
  vault: Vault,
  source: string,
  { kind, id }: RemovedItem,
  options: CallOptions,
): Promise<void> {
  if (kind !== "full" && kind !== "orphan") return;
  const { data } = vault.storage;
  const place = fullPlace(source);
  if (kind === "full") await data.remove(place.nameOf(id));
  // An upload that was believed dead may have become a backup since the plan was made.
  else if ((await data.stat(place.nameOf(id))) !== undefined) return;
  await removeBelow(vault, `${place.prefix}${id}/`, options);
  await removeBelow(vault, `${dataPrefix(source)}${id}/`, options);
}

async function removeBelow(vault: Vault, prefix: string, options: CallOptions): Promise<void> {
  const { data } = vault.storage;
  // Listed first: what is removed while a listing goes on may end or disturb it.
  const names = await Array.fromAsync(data.list(prefix, options), ({ name }) => name);
  await removeEach(names, options, (name) => data.remove(name));
}

async function removeEach<Item>(
  items: readonly Item[],
  { signal }: CallOptions,
  remove: (item: Item) => Promise<void>,
): Promise<void> {
  const removeNext = async (item: Item): Promise<void> => {
    signal?.throwIfAborted();
    await remove(item);
  };
  await Array.fromAsync(mapInOrder(items, REMOVALS_IN_FLIGHT, removeNext));
}

export interface RemovalQuery extends CallOptions {
  vault: Vault;
  /** Name of the source. */
  source: string;
  trusted: TrustedKeys;
}

/** An item that was announced, and by which record. */
export interface AnnouncedItem extends RemovedItem {
  removal: string;
  reason: string;
  announcedAt: string;
}

/**
 * What was announced for this vault, by the items' ids. Records are read from the newest back, and with `wanted` (ids, or
 * SHA-256 of records) only until all of those are found: what a vault lacks was mostly removed last. Says nothing about
 * whether the item is gone. A record that can't be believed allows nothing; `listRemovalRecords` shows it.
 */
export async function listRemovals(
  query: RemovalQuery & { wanted?: Iterable<string> },
): Promise<ReadonlyMap<string, AnnouncedItem>> {
  const { vault, source, signal, wanted } = query;
  const announced = new Map<string, AnnouncedItem>();
  const missing = wanted && new Set(wanted);
  if (missing?.size === 0) return announced;
  const place = removalPlace(source);
  const stats = await Array.fromAsync(vault.storage.data.list(place.prefix, signal ? { signal } : {}));
  const ids = stats.flatMap(({ name }) => idOfRecord(place, name) ?? []).toReversed();
  for await (const entry of mapInOrder(ids, missing ? 2 : 8, (id) => readRecord(id, { ...query, kind: removalKind }))) {
    if (entry?.state !== "valid") continue;
    const { id: removal, items, reason, announcedAt, vaults } = entry.content;
    // A record that was copied in speaks of another vault.
    if (!vaults.some(({ name }) => name === vault.name)) continue;
    for (const item of items) {
      // The rest of a backup may have been removed later, as an orphan: the backup's own announcement tells more.
      if (announced.get(item.id)?.sha256 === undefined)
        announced.set(item.id, { ...item, removal, reason, announcedAt });
      missing?.delete(item.id);
      missing?.delete(item.sha256 ?? "");
    }
    if (missing?.size === 0) break;
  }
  return announced;
}

/**
 * Whether what was announced is gone for good. What another record replaces has to be found in that: where it is not, it is missing.
 */
export function isGoneForGood(item: RemovedItem | undefined): boolean {
  return item !== undefined && item.replacedBy === undefined;
}

/** The records themselves, oldest first, each verified. */
export function listRemovalRecords(query: RemovalQuery): Promise<RemovalEntry[]> {
  return Array.fromAsync(listRecords({ ...query, kind: removalKind }));
}
