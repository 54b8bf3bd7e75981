import { toAppError } from "../core/errors.ts";
import type { TrustedKeys } from "./keys/key.ts";
import { fullPlace, idOfBlob, idOfRecord, KEYS_PREFIX, logPlace, namesOutsideData } from "./names.ts";
import { withoutHeld } from "./held-segments.ts";
import { isGoneForGood, listRemovals } from "./removal.ts";
import { segmentIdsInName } from "./segment-blobs.ts";
import type { BlobStat, CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

export interface LackQuery extends CallOptions {
  /** The vault that is looked at. */
  to: Vault;
  /** The other vaults of the source. */
  others: readonly Vault[];
  source: string;
  trusted: TrustedKeys;
}

/** A blob that one vault lacks, and who has it. The data of a backup is not told apart: its manifest names it. */
export interface LackedBlob extends Pick<BlobStat, "name" | "sizeBytes" | "createdAt"> {
  holders: Vault[];
}

/** A stretch of names: those that start with `prefix` and sort after `after`, up to `before`. */
interface Stretch {
  prefix: string;
  after?: string;
  before?: string;
}

export interface Lack {
  /** In the order of names. */
  blobs: LackedBlob[];
  /** Not there, and removed on purpose. */
  removed: number;
}

/**
 * Every record, log segment and key that a vault lacks and another has. Another one that does not answer is passed over: what it
 * holds is not known. Throws what the vault's own storage throws.
 */
export function findLack(query: LackQuery): Promise<Lack> {
  return compare(query, [...namesOutsideData(query.source), { prefix: KEYS_PREFIX }]);
}

/** Only the backups, and the log segments whose ids sort after `after`: what decides how much can be restored. */
export async function findLackOfBackups(query: LackQuery, after: string): Promise<Lack> {
  const [full, log] = [fullPlace(query.source), logPlace(query.source)];
  const lack = await compare(query, [{ prefix: full.prefix }, { prefix: log.prefix, after: `${log.prefix}${after}` }]);
  const counts = ({ name }: LackedBlob) =>
    idOfRecord(full, name) !== undefined || segmentIdsInName(query.source, name) !== undefined;
  return { ...lack, blobs: lack.blobs.filter(counts) };
}

async function compare(query: LackQuery, stretches: readonly Stretch[]): Promise<Lack> {
  const { to, others, signal } = query;
  const found = new Map<string, LackedBlob>();
  for (const vault of others) {
    try {
      for await (const { name, sizeBytes, createdAt } of list(vault, stretches, signal)) {
        const known = found.get(name);
        if (known) known.holders.push(vault);
        else found.set(name, { name, sizeBytes, createdAt, holders: [vault] });
      }
    } catch (error: unknown) {
      signal?.throwIfAborted();
      if (toAppError(error).kind !== "storage") throw error;
    }
  }
  // Listed after the others: what is written into all vaults at this moment is not taken for missing.
  const there: BlobStat[] = [];
  for await (const stat of list(to, stretches, signal)) {
    found.delete(stat.name);
    there.push(stat);
  }
  return withoutRemoved(query, await withoutHeld(query, [...found.values()], there));
}

async function* list(vault: Vault, stretches: readonly Stretch[], signal: AbortSignal | undefined) {
  for (const { prefix, after, before } of stretches) {
    const options = { ...(after !== undefined && { after }), ...(signal && { signal }) };
    for await (const stat of vault.storage.data.list(prefix, options)) {
      if (before !== undefined && stat.name >= before) break;
      yield stat;
    }
  }
}

/** What was taken out of the vault on purpose is not missing. */
async function withoutRemoved(query: LackQuery, found: LackedBlob[]): Promise<Lack> {
  const { to, source } = query;
  const ids = found.flatMap(({ name }) => idOfBlob(source, name) ?? []);
  const removals = await listRemovals({ ...query, vault: to, wanted: ids });
  const blobs = found.filter(({ name }) => !isGoneForGood(removals.get(idOfBlob(source, name) ?? "")));
  return { blobs: blobs.toSorted((a, b) => (a.name < b.name ? -1 : 1)), removed: found.length - blobs.length };
}
