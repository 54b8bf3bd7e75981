import { createHash } from "node:crypto";
import { toAppError } from "../core/errors.ts";
import { checked, checkFor } from "./blob-check.ts";
import { compareBlob } from "./compare-blob.ts";
import { damagedBlob } from "./damaged-blob.ts";
import { encodeMergedHead, placesIn, readMergedIndex, type StoredIndex } from "./merged-blob.ts";
import { idsInMergedName, quarantineName } from "./names.ts";
import { openManifest, readManifest, type SegmentQuery } from "./segment-head.ts";
import type { SegmentEntry, SegmentPlace } from "./segment-place.ts";
import type { BlobStat } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

/*
 * A merged blob that no vault has whole may still be whole in parts: a segment of it in one vault, another in the other, merged or
 * alone. Its index says what belongs into it, so the same bytes are put together again, each segment proven where it is taken from.
 */

/** A merged blob, put together from what is left of it. */
export interface Rebuilt {
  /** Names of the vaults that it is taken from. */
  from: string;
  bytes: () => AsyncIterable<Buffer>;
}

export interface RebuildRequest extends SegmentQuery {
  others: readonly Vault[];
  /** Of the blob. */
  name: string;
}

interface SoundPart {
  query: SegmentQuery;
  place: SegmentPlace;
}

/** Undefined where a segment of it, or its index, is nowhere whole, and for a blob that is not a merged one. Throws the signal's reason. */
export async function rebuildMerged(request: RebuildRequest): Promise<Rebuilt | undefined> {
  const queries = [request.vault, ...request.others].map((vault) => ({ ...request, vault }));
  if (idsInMergedName(request.source, request.name) === undefined) return undefined;
  const copies = await findCopies(queries, request.name);
  const index = await findIndex(copies, request);
  if (index === undefined) return undefined;
  const sound: SoundPart[] = [];
  for (const part of placesIn(request.name, index).parts) {
    const found = await findSound(queries, copies, part);
    if (found === undefined) return undefined;
    sound.push(found);
  }
  const from = [...new Set(sound.map(({ query }) => query.vault.name))].join(", ");
  return { from, bytes: () => bytesOf(index, sound) };
}

/**
 * Writes the blob in its place, which is free by now, and reads it back; returns the names of the vaults that it was taken from. What
 * was moved aside counts as well, so it is looked for anew. Throws BLOB_DAMAGED, and what the storage throws.
 */
export async function writeRebuilt(request: RebuildRequest): Promise<string> {
  const { vault, name, signal } = request;
  const rebuilt = await rebuildMerged(request);
  if (rebuilt === undefined) throw damagedBlob(vault.name, name, "segments that are whole nowhere any more", "others");
  const check = checkFor({ ...request, vault: vault.name, expected: "record" });
  const bytes = checked(rebuilt.bytes(), check);
  const created = await vault.storage.data.create(name, bytes, signal ? { signal } : {});
  await compareBlob({ vault, name, offset: 0 }, created, { signal, onRead: () => {} });
  return rebuilt.from;
}

/** A blob that has the bytes of the merged one, or had: its own name, or where it was moved aside. */
interface Copy {
  query: SegmentQuery;
  stat: BlobStat;
}

async function findCopies(queries: readonly SegmentQuery[], name: string): Promise<Copy[]> {
  const copies: Copy[] = [];
  for (const query of queries) {
    const { data } = query.vault.storage;
    await firstThatAnswers([query], async () => {
      const stat = await data.stat(name);
      if (stat) copies.push({ query, stat });
      for await (const aside of data.list(quarantineName(name, ""))) {
        if (!aside.name.endsWith(".json")) copies.push({ query, stat: aside });
      }
      return undefined;
    });
  }
  return copies;
}

async function findIndex(copies: readonly Copy[], { source, name }: RebuildRequest): Promise<StoredIndex | undefined> {
  const ids = idsInMergedName(source, name);
  if (ids === undefined) return undefined;
  return firstThatAnswers(copies, ({ query, stat }) => readMergedIndex(query, { ...stat, ...ids }));
}

/** In a copy of the merged blob or in a blob of its own, in any vault. */
async function findSound(
  queries: readonly SegmentQuery[],
  copies: readonly Copy[],
  part: SegmentEntry,
): Promise<SoundPart | undefined> {
  const { id, sizeBytes, merged } = part;
  const inCopies = copies.map(({ query, stat }) => {
    return { query, place: { id, sizeBytes, merged: merged && { ...merged, blob: stat.name } } };
  });
  const alone = queries.map((query) => ({ query, place: { id, sizeBytes } }));
  const isIt = async (candidate: SoundPart) => ((await isSound(candidate, part)) ? candidate : undefined);
  return firstThatAnswers<SoundPart, SoundPart>([...inCopies, ...alone], isIt);
}

async function isSound({ query, place }: SoundPart, { sha256 }: SegmentEntry): Promise<boolean> {
  const stored = await readManifest(query, place);
  const { content, sha256: found } = openManifest(query, place, stored);
  const hash = createHash("sha256");
  for await (const piece of dataOf(query, stored.name, stored.dataOffset, content.data.sizeBytes)) hash.update(piece);
  return found === sha256 && hash.digest("hex") === content.data.sha256;
}

/** What is damaged, or can't be asked, may be whole in the next place. */
async function firstThatAnswers<Item, Result>(
  items: readonly Item[],
  ask: (item: Item) => Promise<Result | undefined>,
): Promise<Result | undefined> {
  for (const item of items) {
    try {
      const result = await ask(item);
      if (result !== undefined) return result;
    } catch (error: unknown) {
      if (!["storage", "verify"].includes(toAppError(error).kind)) throw error;
    }
  }
  return undefined;
}

async function* bytesOf({ envelope }: StoredIndex, parts: readonly SoundPart[]): AsyncGenerator<Buffer, void, void> {
  yield encodeMergedHead(envelope);
  const places: { query: SegmentQuery; name: string; offset: number; length: number }[] = [];
  for (const { query, place } of parts) {
    const stored = await readManifest(query, place);
    yield stored.envelope;
    const { data } = openManifest(query, place, stored).content;
    places.push({ query, name: stored.name, offset: stored.dataOffset, length: data.sizeBytes });
  }
  for (const { query, name, offset, length } of places) yield* dataOf(query, name, offset, length);
}

function dataOf({ vault, signal }: SegmentQuery, name: string, offset: number, length: number): AsyncIterable<Buffer> {
  return vault.storage.data.read(name, { offset, length }, signal ? { signal } : {});
}
