import { createHash } from "node:crypto";
import { AppError, type ErrorReport, reportError, toAppError } from "../core/errors.ts";
import { openEnvelope } from "./envelope.ts";
import type { TrustedKeys } from "./keys/key.ts";
import { findInMerged } from "./merged-blob.ts";
import { logPlace } from "./names.ts";
import { readRange } from "./read-range.ts";
import { parseSegmentManifest, type SegmentManifest } from "./segment-manifest.ts";
import { SEGMENT_HEAD_BYTES, type SegmentPlace } from "./segment-place.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

/*
 * A segment's blob: "RSGL" | length of the signed manifest (u32le) | the manifest | the sealed data ("RSG1" …).
 * One create makes manifest and data exist together. After a day the two may lie in a merged blob instead.
 */

const MAGIC = Buffer.from("RSGL", "ascii");
/** Covers nearly every manifest in one read. */
const FIRST_READ_BYTES = 12 * 1024;
const MAX_MANIFEST_BYTES = 16 * 1024 * 1024;

/** What comes before the sealed data. */
export function encodeHead(envelope: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(envelope.length);
  return Buffer.concat([MAGIC, length, envelope]);
}

export interface ValidSegment extends SegmentPlace {
  state: "valid";
  /** Of the blob that it lies in. */
  name: string;
  content: SegmentManifest;
  /** Where the sealed data starts in that blob. */
  dataOffset: number;
  /** Hex, of the signed manifest: what the next one names as `previous`. */
  sha256: string;
  signingKeyId: string;
  /** As in `OpenedEnvelope`. */
  graceUntil?: string;
}

/** A segment that lies there and can't be believed. It is shown, never left out. */
export interface InvalidSegment extends SegmentPlace {
  state: "invalid";
  /** Of the blob that it lies in. */
  name: string;
  error: ErrorReport;
}

export type Segment = ValidSegment | InvalidSegment;

export interface SegmentQuery extends CallOptions {
  vault: Vault;
  source: string;
  trusted: TrustedKeys;
}

/** The signed manifest of a segment as it lies in a blob. */
export interface StoredManifest {
  /** Of the blob. */
  name: string;
  envelope: Buffer;
  /** Where the sealed data starts in that blob. */
  dataOffset: number;
}

/**
 * Reads and verifies the manifest of one segment; one that has lost its own blob since it was listed is looked for in merged
 * ones. Throws what the storage throws: unknown is not none.
 */
export async function readSegment(query: SegmentQuery, place: SegmentPlace): Promise<Segment> {
  try {
    return openManifest(query, place, await readManifest(query, place));
  } catch (error: unknown) {
    const moved = await whereMoved(query, place, error);
    return moved === undefined ? invalidSegment(query, place, error) : readSegment(query, moved);
  }
}

/** Where the segment lies now whose own blob turned out to be missing; undefined for every other error. */
export async function whereMoved(
  query: SegmentQuery,
  place: SegmentPlace,
  error: unknown,
): Promise<SegmentPlace | undefined> {
  const isMissing = place.merged === undefined && toAppError(error).code === "BLOB_MISSING";
  return isMissing ? findInMerged(query, place.id) : undefined;
}

/** A segment with what is wrong with it. Throws an error that says nothing about the segment. */
export function invalidSegment({ source }: SegmentQuery, place: SegmentPlace, error: unknown): InvalidSegment {
  if (toAppError(error).kind !== "verify") throw error;
  const name = place.merged?.blob ?? logPlace(source).nameOf(place.id);
  return { ...place, state: "invalid", name, error: reportError(error) };
}

/** Reads the signed manifest, as it is. Throws BLOB_DAMAGED and what the storage throws. */
export async function readManifest(query: SegmentQuery, { id, merged }: SegmentPlace): Promise<StoredManifest> {
  const options = query.signal ? { signal: query.signal } : {};
  if (merged !== undefined) {
    const { blob, manifestOffset, manifestBytes, dataOffset } = merged;
    return {
      name: blob,
      envelope: await readRange(query.vault, blob, manifestOffset, manifestBytes, options),
      dataOffset,
    };
  }
  const name = logPlace(query.source).nameOf(id);
  let head = await readRange(query.vault, name, 0, FIRST_READ_BYTES, options);
  if (head.length < SEGMENT_HEAD_BYTES || !head.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw damaged(name, "is no segment");
  }
  const end = SEGMENT_HEAD_BYTES + head.readUInt32LE(MAGIC.length);
  if (end > MAX_MANIFEST_BYTES) {
    throw damaged(name, `says that its manifest has ${end - SEGMENT_HEAD_BYTES} bytes`);
  }
  if (end > head.length) {
    head = Buffer.concat([head, await readRange(query.vault, name, head.length, end - head.length, options)]);
  }
  return { name, envelope: head.subarray(SEGMENT_HEAD_BYTES, end), dataOffset: end };
}

/** Verifies a manifest that was read. Throws SIGNATURE_INVALID, MANIFEST_INVALID, MANIFEST_VERSION, BLOB_DAMAGED. */
export function openManifest(
  query: Pick<SegmentQuery, "source" | "trusted">,
  place: SegmentPlace,
  stored: StoredManifest,
): ValidSegment {
  const { id, sizeBytes, merged } = place;
  const { name, envelope, dataOffset } = stored;
  const sha256 = createHash("sha256").update(envelope).digest("hex");
  if (merged !== undefined && merged.sha256 !== sha256) throw damaged(name, `has another manifest of segment ${id}`);
  const { payload, signingKeyId, graceUntil } = openEnvelope(envelope, "resguardo-segment", query.trusted, name);
  const content = parseSegmentManifest(payload, name);
  if (content.id !== id || content.source.name !== query.source) {
    throw damaged(name, `holds the segment ${content.id} of ${content.source.name}`);
  }
  const expected = SEGMENT_HEAD_BYTES + envelope.length + content.data.sizeBytes;
  if (sizeBytes !== expected) throw damaged(name, `has ${sizeBytes} bytes of segment ${id}, expected ${expected}`);
  const optional = { ...(merged && { merged }), ...(graceUntil !== undefined && { graceUntil }) };
  return { state: "valid", id, sizeBytes, ...optional, content, name, dataOffset, sha256, signingKeyId };
}

function damaged(name: string, what: string): AppError {
  return new AppError("BLOB_DAMAGED", `log segment ${name} ${what}`, {
    hint: "Restore from another vault of the source; the window there has no gap.",
  });
}
