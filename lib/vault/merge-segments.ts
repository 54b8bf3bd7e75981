import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { AppError, reportError, toAppError } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";
import { newId } from "../core/ids.ts";
import { damagedBlob } from "./damaged-blob.ts";
import { signEnvelope } from "./envelope.ts";
import type { SessionSigner } from "./keys/session-key.ts";
import { mapInOrder } from "./map-in-order.ts";
import { encodeMergedHead, MERGED_PREFIX_BYTES, readMerged, type ValidMerged } from "./merged-blob.ts";
import type { MergedIndex, MergedPart } from "./merged-index.ts";
import { mergedName } from "./names.ts";
import { proveMerged } from "./prove-merged.ts";
import { publishKeys } from "./public-keys.ts";
import { readRange } from "./read-range.ts";
import type { SegmentBlob } from "./segment-blobs.ts";
import { factsOf } from "./segment-facts.ts";
import type { DamagedSegment } from "./segment-hours.ts";
import { openManifest, readManifest, type SegmentQuery, type ValidSegment } from "./segment-head.ts";
import type { SegmentPlace } from "./segment-place.ts";
import type { Vault } from "./vault.ts";

/*
 * manifests read and verified -> index signed -> one create, each segment's data compared with its manifest while it passes ->
 * read back and proven in its own place. Nothing is opened, and nothing that stood there changes. Killed before the create has
 * ended, nothing is there; killed after it, the next run finds the blob.
 */

export interface MergeOptions extends SegmentQuery, Pick<MergedIndex, "environment" | "tool" | "policyHash"> {
  signer: SessionSigner;
  clock: Clock;
}

export type MergeOutcome =
  | { state: "merged"; merged: ValidMerged }
  /** Nothing was written: these segments are not what their manifests say, or can't be believed. */
  | { state: "damaged"; segments: DamagedSegment[] };

/** A merged blob of another vault, of which this one gets a copy made of its own segments: the same bytes, name and proof. */
export interface MergedElsewhere {
  vault: Vault;
  merged: ValidMerged;
}

const READS_IN_FLIGHT = 8;
/** Data up to this size is read before its turn comes. */
const PREFETCH_BYTES = 1024 * 1024;

/**
 * Writes segments, given in order, into one merged blob beside their own, and proves it; with `elsewhere`, as that one is.
 * Throws BLOB_DAMAGED where what was written reads back differently, and what storage and signer throw.
 */
export async function mergeSegments(
  options: MergeOptions,
  places: readonly SegmentPlace[],
  elsewhere?: MergedElsewhere,
): Promise<MergeOutcome> {
  const { vault, source, signer, clock } = options;
  const parts: Part[] = [];
  const damaged: DamagedSegment[] = [];
  for await (const read of mapInOrder(places, READS_IN_FLIGHT, (place) => readPart(options, place))) {
    if ("error" in read) damaged.push(read);
    else parts.push(read);
  }
  const lastId = parts.at(-1)?.segment.id;
  if (damaged.length > 0 || lastId === undefined) return { state: "damaged", segments: damaged };
  const { id, index } = elsewhere ? await copyIndex(elsewhere, parts) : await makeIndex(options, parts);
  const name = mergedName(source, lastId, id);
  await publishKeys(vault, [], signer, clock);
  try {
    const bytes = bytesOf(options, index, parts, (bad) => damaged.push(bad));
    const sizeBytes = await create(options, name, bytes);
    const blob = { name, sizeBytes, createdAt: clock(), lastId, mergedId: id };
    return { state: "merged", merged: await readBack(options, blob) };
  } catch (error: unknown) {
    if (damaged.length === 0) throw error;
    return { state: "damaged", segments: damaged };
  }
}

interface Part {
  segment: ValidSegment;
  envelope: Buffer;
}

async function readPart(query: SegmentQuery, place: SegmentPlace): Promise<Part | DamagedSegment> {
  try {
    const stored = await readManifest(query, place);
    return { segment: openManifest(query, place, stored), envelope: Buffer.from(stored.envelope) };
  } catch (error: unknown) {
    if (toAppError(error).kind !== "verify") throw error;
    return { id: place.id, error: reportError(error) };
  }
}

async function makeIndex(options: MergeOptions, parts: readonly Part[]): Promise<{ id: string; index: Buffer }> {
  const { source, environment, tool, policyHash, signer, clock } = options;
  const now = clock();
  const id = newId(now);
  const [kind = ""] = parts.map(({ segment }) => segment.content.source.kind);
  const content: MergedIndex = {
    format: "resguardo-merged-log",
    version: 1,
    id,
    source: { name: source, kind },
    environment,
    mergedAt: now.toISOString(),
    tool,
    policyHash,
    parts: parts.map(partOf),
  };
  return { id, index: await signEnvelope("resguardo-merged-log", content, signer, clock) };
}

function partOf({ segment, envelope }: Part): MergedPart {
  return { ...factsOf(segment), manifestBytes: envelope.length, dataBytes: segment.content.data.sizeBytes };
}

async function copyIndex(
  { vault, merged }: MergedElsewhere,
  parts: readonly Part[],
): Promise<{ id: string; index: Buffer }> {
  const { content, blob, headBytes } = merged;
  if (!isDeepStrictEqual(content.parts, parts.map(partOf))) {
    throw new AppError("INVARIANT", `${blob.name}: other segments than those that are to be merged as there`);
  }
  const index = await readRange(vault, blob.name, MERGED_PREFIX_BYTES, headBytes - MERGED_PREFIX_BYTES);
  return { id: content.id, index };
}

/** The size of what was created, or is there from a run whose confirmation got lost: it is proven in either case. */
async function create(options: MergeOptions, name: string, bytes: AsyncIterable<Buffer>): Promise<number> {
  const { data } = options.vault.storage;
  try {
    return (await data.create(name, bytes, options.signal ? { signal: options.signal } : {})).sizeBytes;
  } catch (error: unknown) {
    const there = toAppError(error).code === "BLOB_EXISTS" ? await data.stat(name) : undefined;
    if (there === undefined) throw error;
    return there.sizeBytes;
  }
}

async function* bytesOf(
  query: SegmentQuery,
  index: Buffer,
  parts: readonly Part[],
  onDamaged: (segment: DamagedSegment) => void,
): AsyncGenerator<Buffer, void, void> {
  yield encodeMergedHead(index);
  for (const { envelope } of parts) yield envelope;
  const begin = ({ segment }: Part) => beginReading(query, segment);
  for await (const { segment, bytes } of mapInOrder(parts, READS_IN_FLIGHT, begin)) {
    try {
      yield* checkedData(query.vault.name, segment, bytes);
    } catch (error: unknown) {
      if (toAppError(error).kind === "verify") onDamaged({ id: segment.id, error: reportError(error) });
      throw error;
    }
  }
}

async function beginReading(query: SegmentQuery, segment: ValidSegment) {
  const { vault, signal } = query;
  const { name, dataOffset: offset, content } = segment;
  const length = content.data.sizeBytes;
  const options = signal ? { signal } : {};
  if (length > PREFETCH_BYTES) return { segment, bytes: vault.storage.data.read(name, { offset, length }, options) };
  return { segment, bytes: [await readRange(vault, name, offset, length, options)] };
}

/** The data of a segment, which ends with an error where it is not what its manifest says: the create comes to nothing then. */
async function* checkedData(
  vault: string,
  { name, content }: ValidSegment,
  bytes: AsyncIterable<Buffer> | Iterable<Buffer>,
): AsyncGenerator<Buffer, void, void> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const piece of bytes) {
    hash.update(piece);
    sizeBytes += piece.length;
    yield piece;
  }
  const found = { sizeBytes, sha256: hash.digest("hex") };
  for (const field of ["sizeBytes", "sha256"] as const) {
    const expected = content.data[field];
    if (found[field] !== expected) throw damagedBlob(vault, name, `${field} ${found[field]}`, `${expected}`);
  }
}

/** The merged blob as it lies there, every part of it read and compared. */
async function readBack(query: SegmentQuery, blob: SegmentBlob): Promise<ValidMerged> {
  const merged = await readMerged(query, blob);
  if (merged.state === "invalid") throw readsBackDifferently(blob, merged.error.message);
  const { problems } = await proveMerged(query, merged, () => {});
  if (problems[0] !== undefined) throw readsBackDifferently(blob, problems[0].error.message);
  return merged;
}

function readsBackDifferently({ name }: SegmentBlob, how: string): AppError {
  return new AppError("BLOB_DAMAGED", `${name}: was written and reads back differently: ${how}`, {
    hint: "What it was merged from stays where it is; look at the storage, and run `resguardo verify`.",
  });
}
