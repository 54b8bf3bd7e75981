import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { AppError, type ErrorReport, reportError, toAppError } from "../core/errors.ts";
import { ByteReader } from "./byte-reader.ts";
import { damagedBlob } from "./damaged-blob.ts";
import type { ValidMerged } from "./merged-blob.ts";
import { factsOf } from "./segment-facts.ts";
import type { Segment, SegmentQuery, ValidSegment } from "./segment-head.ts";
import { assertValid, readSegments } from "./segment-heads.ts";
import { SEGMENT_HEAD_BYTES, type SegmentEntry } from "./segment-place.ts";

const PIECE_BYTES = 1024 * 1024;

/** What a merged blob turned out to hold. It is proven when nothing is wrong. */
export interface MergedProof {
  /** Those whose manifests can be believed, in order. */
  segments: ValidSegment[];
  /** What is wrong, by the id of the segment. */
  problems: { id: string; error: ErrorReport }[];
}

/**
 * Reads a merged blob back: every segment's own signature, that the index says the same as its manifest, and its data against
 * the manifest's size and SHA-256. Damage is data; throws what the storage throws.
 */
export async function proveMerged(
  query: SegmentQuery,
  merged: ValidMerged,
  onRead: (bytes: number) => void,
): Promise<MergedProof> {
  const proof: MergedProof = { segments: [], problems: [] };
  const [first] = merged.parts;
  if (first?.merged === undefined) throw new AppError("INVARIANT", `${merged.blob.name}: a merged blob of nothing`);
  onRead(first.merged.dataOffset);
  const { name, sizeBytes } = merged.blob;
  const range = { offset: first.merged.dataOffset, length: sizeBytes - first.merged.dataOffset };
  const data = query.vault.storage.data.read(name, range, query.signal ? { signal: query.signal } : {});
  await using bytes = new ByteReader(data, (piece) => onRead(piece.length));
  let index = 0;
  for await (const segment of readSegments(query, merged.parts)) {
    const entry = merged.parts[index++];
    if (entry === undefined) throw new AppError("INVARIANT", `${name}: more segments than parts`);
    const sha256 = await hashOf(bytes, dataBytesOf(entry));
    try {
      proof.segments.push(assertSame(query.vault.name, segment, entry, sha256));
    } catch (error: unknown) {
      if (toAppError(error).kind !== "verify") throw error;
      proof.problems.push({ id: entry.id, error: reportError(error) });
    }
  }
  return proof;
}

function dataBytesOf({ sizeBytes, merged }: SegmentEntry): number {
  return sizeBytes - SEGMENT_HEAD_BYTES - (merged?.manifestBytes ?? 0);
}

async function hashOf(bytes: ByteReader, length: number): Promise<string> {
  const hash = createHash("sha256");
  for (let left = length; left > 0;) {
    const piece = await bytes.take(Math.min(left, PIECE_BYTES));
    if (piece.length === 0) break;
    hash.update(piece);
    left -= piece.length;
  }
  return hash.digest("hex");
}

function assertSame(vault: string, segment: Segment, entry: SegmentEntry, sha256: string): ValidSegment {
  const valid = assertValid(segment);
  const { id, name, content } = valid;
  const { sizeBytes: _sizeBytes, merged: _merged, ...facts } = entry;
  if (!isDeepStrictEqual(factsOf(valid), facts)) {
    throw damagedBlob(vault, name, `other facts of segment ${id} in its index`, "something else");
  }
  if (content.data.sha256 === sha256) return valid;
  throw damagedBlob(vault, name, `sha256 ${sha256} of segment ${id}`, content.data.sha256);
}
