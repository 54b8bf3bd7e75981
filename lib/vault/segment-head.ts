import { createHash } from "node:crypto";
import { AppError, type ErrorReport, reportError, toAppError } from "../core/errors.ts";
import { openEnvelope } from "./envelope.ts";
import type { TrustedKeys } from "./keys/key.ts";
import { logPlace } from "./names.ts";
import { parseSegmentManifest, type SegmentManifest } from "./segment-manifest.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

/*
 * A segment's blob: "RSGL" | length of the signed manifest (u32le) | the manifest | the sealed data ("RSG1" …).
 * One create makes manifest and data exist together.
 */

const MAGIC = Buffer.from("RSGL", "ascii");
const PREFIX_BYTES = MAGIC.length + 4;
/** Covers nearly every manifest in one read. */
const FIRST_READ_BYTES = 12 * 1024;
const MAX_MANIFEST_BYTES = 16 * 1024 * 1024;

/** What comes before the sealed data. */
export function encodeHead(envelope: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(envelope.length);
  return Buffer.concat([MAGIC, length, envelope]);
}

export interface ValidSegment {
  state: "valid";
  id: string;
  /** Of its blob. */
  name: string;
  /** Of the whole blob. */
  sizeBytes: number;
  content: SegmentManifest;
  /** Where the sealed data starts. */
  dataOffset: number;
  /** Hex, of the signed manifest: what the next one names as `previous`. */
  sha256: string;
  signingKeyId: string;
  /** As in `OpenedEnvelope`. */
  graceUntil?: string;
}

/** A segment that lies there and can't be believed. It is shown, never left out. */
export interface InvalidSegment {
  state: "invalid";
  id: string;
  name: string;
  sizeBytes: number;
  error: ErrorReport;
}

export type Segment = ValidSegment | InvalidSegment;

export interface SegmentQuery extends CallOptions {
  vault: Vault;
  source: string;
  trusted: TrustedKeys;
}

/** Reads and verifies the manifest of one segment. Throws what the storage throws: unknown is not none. */
export async function readSegment(query: SegmentQuery, id: string, sizeBytes: number): Promise<Segment> {
  const name = logPlace(query.source).nameOf(id);
  try {
    return await readValid(query, { id, name, sizeBytes });
  } catch (error: unknown) {
    if (toAppError(error).kind !== "verify") throw error;
    return { state: "invalid", id, name, sizeBytes, error: reportError(error) };
  }
}

async function readValid(
  query: SegmentQuery,
  found: { id: string; name: string; sizeBytes: number },
): Promise<ValidSegment> {
  const { id, name, sizeBytes } = found;
  let head = await readRange(query, name, 0, FIRST_READ_BYTES);
  if (head.length < PREFIX_BYTES || !head.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged(name, "is no segment");
  const end = PREFIX_BYTES + head.readUInt32LE(MAGIC.length);
  if (end > MAX_MANIFEST_BYTES) throw damaged(name, `says that its manifest has ${end - PREFIX_BYTES} bytes`);
  if (end > head.length) head = Buffer.concat([head, await readRange(query, name, head.length, end - head.length)]);
  const envelope = head.subarray(PREFIX_BYTES, end);
  const { payload, signingKeyId, graceUntil } = openEnvelope(envelope, "resguardo-segment", query.trusted, name);
  const content = parseSegmentManifest(payload, name);
  if (content.id !== id || content.source.name !== query.source) {
    throw damaged(name, `holds the segment ${content.id} of ${content.source.name}`);
  }
  if (sizeBytes !== end + content.data.sizeBytes) {
    throw damaged(name, `has ${sizeBytes} bytes, expected ${end + content.data.sizeBytes}`);
  }
  const sha256 = createHash("sha256").update(envelope).digest("hex");
  const grace = graceUntil === undefined ? {} : { graceUntil };
  return { state: "valid", ...found, content, dataOffset: end, sha256, signingKeyId, ...grace };
}

async function readRange({ vault, signal }: SegmentQuery, name: string, offset: number, length: number) {
  const pieces = await Array.fromAsync(vault.storage.data.read(name, { offset, length }, signal ? { signal } : {}));
  return Buffer.concat(pieces);
}

function damaged(name: string, what: string): AppError {
  return new AppError("BLOB_DAMAGED", `log segment ${name} ${what}`, {
    hint: "Restore from another vault of the source; the window there has no gap.",
  });
}
