import { createHash } from "node:crypto";
import { toAppError } from "../core/errors.ts";
import { encodeMergedHead, type MergedQuery, placesIn, readMergedIndex, type StoredIndex } from "./merged-blob.ts";
import { idsInMergedName } from "./names.ts";
import { openManifest, readManifest, type SegmentQuery } from "./segment-head.ts";
import type { SegmentEntry, SegmentPlace } from "./segment-place.ts";
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

/** Undefined where a segment of it, or its index, is nowhere whole. Throws the signal's reason. */
export async function rebuildMerged(request: RebuildRequest): Promise<Rebuilt | undefined> {
  const queries = [request.vault, ...request.others].map((vault) => ({ ...request, vault }));
  const index = await findIndex(queries, request);
  if (index === undefined) return undefined;
  const sound: SoundPart[] = [];
  for (const part of placesIn(request.name, index).parts) {
    const found = await findSound(queries, part);
    if (found === undefined) return undefined;
    sound.push(found);
  }
  const from = [...new Set(sound.map(({ query }) => query.vault.name))].join(", ");
  return { from, bytes: () => bytesOf(index, sound) };
}

async function findIndex(queries: readonly MergedQuery[], { source, name }: RebuildRequest) {
  const ids = idsInMergedName(source, name);
  if (ids === undefined) return undefined;
  return firstThatAnswers(queries, async (query) => {
    const stat = await query.vault.storage.data.stat(name);
    return stat && readMergedIndex(query, { ...stat, ...ids });
  });
}

/** In the merged blob itself or in a blob of its own, in any vault. */
async function findSound(queries: readonly SegmentQuery[], part: SegmentEntry): Promise<SoundPart | undefined> {
  const places: SegmentPlace[] = [part, { id: part.id, sizeBytes: part.sizeBytes }];
  const candidates = places.flatMap((place) => queries.map((query) => ({ query, place })));
  return firstThatAnswers(candidates, async (candidate) => ((await isSound(candidate, part)) ? candidate : undefined));
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
