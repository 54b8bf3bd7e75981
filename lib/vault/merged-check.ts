import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { BlobCheck, CheckRequest } from "./blob-check.ts";
import { damagedBlob } from "./damaged-blob.ts";
import { indexBytesOf, MERGED_PREFIX_BYTES, openMergedIndex } from "./merged-blob.ts";
import type { MergedPart } from "./merged-index.ts";
import { factsOf } from "./segment-facts.ts";
import { openManifest } from "./segment-head.ts";
import { SEGMENT_HEAD_BYTES } from "./segment-place.ts";

const PIECE_BYTES = 1024 * 1024;

/** A merged blob while its bytes pass: its index, the manifests that it speaks of, and the data that they describe. */
export function mergedCheck(request: CheckRequest, ids: { lastId: string; mergedId: string }): BlobCheck {
  const { vault, name } = request;
  const whole = createHash("sha256");
  const steps = readMergedBlob(request, ids);
  let sizeBytes = 0;
  let rest: Buffer = Buffer.alloc(0);
  let step = steps.next();
  return {
    update: (piece) => {
      whole.update(piece);
      sizeBytes += piece.length;
      rest = Buffer.concat([rest, piece]);
      while (!step.done && rest.length >= step.value) {
        const taken = rest.subarray(0, step.value);
        rest = rest.subarray(step.value);
        step = steps.next(taken);
      }
    },
    finish: () => {
      if (!step.done || rest.length > 0) throw damagedBlob(vault, name, `${sizeBytes} bytes`, "another length");
      return { sizeBytes, sha256: whole.digest("hex") };
    },
  };
}

/** Yields how many bytes it wants next, and is given them. */
function* readMergedBlob(
  { vault, source, name, trusted }: CheckRequest,
  ids: { lastId: string; mergedId: string },
): Generator<number, void, Buffer> {
  const index = yield indexBytesOf(name, yield MERGED_PREFIX_BYTES);
  const { parts } = openMergedIndex({ source, name, ...ids, trusted }, index);
  const hashes: string[] = [];
  for (const part of parts) hashes.push(openPart(part, yield part.manifestBytes));
  for (const [number, { id, dataBytes }] of parts.entries()) {
    const hash = createHash("sha256");
    for (let left = dataBytes; left > 0; left -= PIECE_BYTES) hash.update(yield Math.min(left, PIECE_BYTES));
    const sha256 = hash.digest("hex");
    if (sha256 !== hashes[number])
      throw damagedBlob(vault, name, `sha256 ${sha256} of segment ${id}`, `${hashes[number]}`);
  }

  /** The hash that the data of a part must have. */
  function openPart({ manifestBytes, dataBytes, ...facts }: MergedPart, envelope: Buffer): string {
    const sizeBytes = SEGMENT_HEAD_BYTES + manifestBytes + dataBytes;
    const stored = { name, envelope, dataOffset: 0 };
    const segment = openManifest({ source, trusted }, { id: facts.id, sizeBytes }, stored);
    if (!isDeepStrictEqual(factsOf(segment), facts)) {
      throw damagedBlob(vault, name, `other facts of segment ${facts.id} in its index`, "something else");
    }
    return segment.content.data.sha256;
  }
}
