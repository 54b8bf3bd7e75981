import { createHash } from "node:crypto";
import { toAppError } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";
import { signEnvelope } from "./envelope.ts";
import type { SessionSigner } from "./keys/session-key.ts";
import type { VaultLink } from "./manifest.ts";
import { idOfRecord, idStart, type RecordPlace } from "./names.ts";
import type { VaultOutcomes } from "./outcome.ts";
import { findJoin } from "./join.ts";
import { publishKeys, type PublishedKey } from "./public-keys.ts";
import { type Placed, readWhole, type RecordKind } from "./record.ts";
import type { Vault } from "./vault.ts";

export interface RecordToWrite<Content extends Placed> {
  kind: RecordKind<Content>;
  source: string;
  id: string;
  /** The record, given what came before it in each vault. */
  contentOf: (links: VaultLink[]) => Content;
  signer: SessionSigner;
  clock: Clock;
  /** Public keys that the record names, besides the signer's. */
  keys?: readonly PublishedKey[];
}

const DAY_MS = 86_400_000;
/** Most sources have a record younger than the first; the others cost a second listing. */
const LOOK_BACK_DAYS = [2, 40];

/**
 * Signs a record once and writes the same bytes into every vault that is left, chained to the newest record there. Returns
 * it with the SHA-256 of its file. Throws when no vault took it, and what the signer throws.
 */
export async function writeRecord<Content extends Placed>(
  record: RecordToWrite<Content>,
  vaults: VaultOutcomes,
): Promise<{ content: Content; sha256: string }> {
  const { kind, source, id, signer, clock } = record;
  const place = kind.placeOf(source);
  const links = await vaults.forEach(async (vault): Promise<VaultLink> => {
    await publishKeys(vault, record.keys ?? [], signer, clock);
    const previous = await hashOfNewest(vault, place, clock());
    return { name: vault.name, previous, ...(kind.joins && (await findJoin(vault, place, clock()))) };
  });
  const content = record.contentOf(links.map(({ result }) => result));
  const bytes = await signEnvelope(kind.type, content, signer, clock);
  await vaults.forEach((vault) => createOnce(vault, place.nameOf(id), bytes));
  return { content, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** Creates a blob; one that is there already with the same bytes was written by us, and its confirmation got lost. */
export async function createOnce(vault: Vault, name: string, bytes: Buffer): Promise<void> {
  try {
    await vault.storage.data.create(name, bytes);
  } catch (error: unknown) {
    if (toAppError(error).code !== "BLOB_EXISTS") throw error;
    const found = await readWhole(vault, name, bytes.length);
    if (!found.equals(bytes)) throw error;
  }
}

async function hashOfNewest(vault: Vault, place: RecordPlace, now: Date): Promise<string | null> {
  const name = await findNewest(vault, place, now);
  if (name === undefined) return null;
  const hash = createHash("sha256");
  for await (const piece of vault.storage.data.read(name)) hash.update(piece);
  return hash.digest("hex");
}

/** Names sort by time, so the end of a listing is the newest; it starts as late as possible, for there may be very many. */
async function findNewest(vault: Vault, place: RecordPlace, now: Date): Promise<string | undefined> {
  const starts = LOOK_BACK_DAYS.map((days) => idStart(new Date(now.getTime() - days * DAY_MS)));
  for (const start of [...starts, ""]) {
    let newest: string | undefined;
    for await (const { name } of vault.storage.data.list(place.prefix, { after: `${place.prefix}${start}` })) {
      if (idOfRecord(place, name) !== undefined) newest = name;
    }
    if (newest !== undefined) return newest;
  }
  return undefined;
}
