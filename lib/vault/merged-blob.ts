import { AppError, type ErrorReport, reportError, toAppError } from "../core/errors.ts";
import { openEnvelope } from "./envelope.ts";
import type { TrustedKeys } from "./keys/key.ts";
import { type MergedIndex, parseMergedIndex } from "./merged-index.ts";
import { readRange } from "./read-range.ts";
import { listSegmentBlobs, type LogBlob, type SegmentBlobQuery } from "./segment-blobs.ts";
import { hourOf, SEGMENT_HEAD_BYTES, type SegmentEntry, type SegmentPlace } from "./segment-place.ts";

/*
 * A merged blob: "RSGM" | length of the signed index (u32le) | the index | the signed manifests of its segments, one after
 * the other | their sealed data, one after the other. Manifests and data are the bytes of the segments' own blobs, so each
 * segment keeps its own proof, and many neighbours are read at once.
 */

const MAGIC = Buffer.from("RSGM", "ascii");
/** "RSGM" and the length of the index. */
export const MERGED_PREFIX_BYTES = MAGIC.length + 4;
/** Covers the index of an hour's segments in one read. */
const FIRST_READ_BYTES = 256 * 1024;
const MAX_INDEX_BYTES = 64 * 1024 * 1024;

export interface MergedQuery extends SegmentBlobQuery {
  trusted: TrustedKeys;
}

export interface ValidMerged {
  state: "valid";
  blob: LogBlob;
  content: MergedIndex;
  /** What comes before the manifests. */
  headBytes: number;
  /** Its segments, in order. */
  parts: SegmentEntry[];
}

/** A merged blob whose index can't be believed. */
export interface InvalidMerged {
  state: "invalid";
  blob: LogBlob;
  error: ErrorReport;
}

/** What comes before the manifests. */
export function encodeMergedHead(envelope: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(envelope.length);
  return Buffer.concat([MAGIC, length, envelope]);
}

/** Reads and verifies the index of a merged blob; its segments prove themselves when they are read. Throws what the storage throws. */
export async function readMerged(query: MergedQuery, blob: LogBlob): Promise<ValidMerged | InvalidMerged> {
  try {
    return await readValid(query, blob);
  } catch (error: unknown) {
    if (toAppError(error).kind !== "verify") throw error;
    return { state: "invalid", blob, error: reportError(error) };
  }
}

/** Where a segment lies that has no blob of its own any more; undefined where it lies in none. Throws what the storage throws. */
export async function findInMerged(query: MergedQuery, id: string): Promise<SegmentPlace | undefined> {
  // The one that is looked for may be the last of its blob.
  for await (const blob of listSegmentBlobs(query, id.slice(0, -1))) {
    if (hourOf(blob.lastId) > hourOf(id)) return undefined;
    if (blob.mergedId === undefined) continue;
    const merged = await readMerged(query, blob);
    const part = merged.state === "valid" ? merged.parts.find((entry) => entry.id === id) : undefined;
    if (part !== undefined) return part;
  }
  return undefined;
}

async function readValid(query: MergedQuery, blob: LogBlob): Promise<ValidMerged> {
  const { name, sizeBytes } = blob;
  const index = await readMergedIndex(query, blob);
  const { content } = index;
  const { headBytes, parts } = placesIn(name, index);
  const expected = parts.at(-1)?.merged?.endOffset;
  if (sizeBytes !== expected) throw damaged(name, `has ${sizeBytes} bytes, expected ${expected}`);
  return { state: "valid", blob, content, headBytes, parts };
}

/** The signed index of a merged blob, whatever is behind it. */
export interface StoredIndex {
  envelope: Buffer;
  content: MergedIndex;
}

/** Reads and verifies an index alone. Throws as `openMergedIndex`, and what the storage throws. */
export async function readMergedIndex(
  { vault, source, trusted, signal }: MergedQuery,
  { name, sizeBytes, lastId, mergedId }: LogBlob,
): Promise<StoredIndex> {
  const options = signal ? { signal } : {};
  let head = await readRange(vault, name, 0, Math.min(FIRST_READ_BYTES, sizeBytes), options);
  const headBytes = MERGED_PREFIX_BYTES + indexBytesOf(name, head);
  if (headBytes > head.length) {
    head = Buffer.concat([head, await readRange(vault, name, head.length, headBytes - head.length, options)]);
  }
  const envelope = head.subarray(MERGED_PREFIX_BYTES, headBytes);
  return { envelope, content: openMergedIndex({ source, name, lastId, mergedId, trusted }, envelope) };
}

/** What the index of a merged blob has to say of itself. */
export interface MergedIdentity {
  source: string;
  name: string;
  lastId: string;
  mergedId: string | undefined;
  trusted: TrustedKeys;
}

/** Verifies an index that was read. Throws SIGNATURE_INVALID, MANIFEST_INVALID, MANIFEST_VERSION, BLOB_DAMAGED. */
export function openMergedIndex(
  { source, name, lastId, mergedId, trusted }: MergedIdentity,
  envelope: Buffer,
): MergedIndex {
  const { payload } = openEnvelope(envelope, "resguardo-merged-log", trusted, name);
  const content = parseMergedIndex(payload, name);
  if (content.id === mergedId && content.source.name === source && content.parts.at(-1)?.id === lastId) return content;
  throw damaged(name, `is the blob ${content.id} of ${content.source.name}`);
}

/** The length of the index, from the first 8 bytes of a merged blob. Throws BLOB_DAMAGED for what is none. */
export function indexBytesOf(name: string, prefix: Buffer): number {
  if (prefix.length < MERGED_PREFIX_BYTES || !prefix.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw damaged(name, "is none");
  }
  const indexBytes = prefix.readUInt32LE(MAGIC.length);
  if (indexBytes > MAX_INDEX_BYTES) throw damaged(name, `says that its index has ${indexBytes} bytes`);
  return indexBytes;
}

/** Where the parts of a merged blob lie that has this index. */
export function placesIn(blob: string, { envelope, content }: StoredIndex): Pick<ValidMerged, "headBytes" | "parts"> {
  const headBytes = MERGED_PREFIX_BYTES + envelope.length;
  let manifestOffset = headBytes;
  let dataOffset = content.parts.reduce((end, { manifestBytes }) => end + manifestBytes, headBytes);
  const endOffset = content.parts.reduce((end, { dataBytes }) => end + dataBytes, dataOffset);
  const parts = content.parts.map(({ manifestBytes, dataBytes, ...facts }) => {
    const merged = { blob, manifestOffset, manifestBytes, dataOffset, endOffset, sha256: facts.sha256 };
    manifestOffset += manifestBytes;
    dataOffset += dataBytes;
    return { ...facts, sizeBytes: SEGMENT_HEAD_BYTES + manifestBytes + dataBytes, merged };
  });
  return { headBytes, parts };
}

function damaged(name: string, what: string): AppError {
  return new AppError("BLOB_DAMAGED", `merged log ${name} ${what}`, {
    hint: "Restore from another vault of the source; the window there has no gap.",
  });
}
