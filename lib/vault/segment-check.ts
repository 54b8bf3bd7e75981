import { createHash } from "node:crypto";
import type { BlobCheck, CheckRequest } from "./blob-check.ts";
import { damagedBlob } from "./damaged-blob.ts";
import { openEnvelope } from "./envelope.ts";
import { encodeHead } from "./segment-head.ts";
import { parseSegmentManifest, type SegmentManifest } from "./segment-manifest.ts";

/** "RSGL", and the length of the manifest. */
const PREFIX_BYTES = 8;
const MAX_HEAD_BYTES = 16 * 1024 * 1024;

/** A log segment while its bytes pass: its signed manifest, then the data that this one describes. */
export function segmentCheck(request: CheckRequest, id: string): BlobCheck {
  const { vault, name } = request;
  const whole = createHash("sha256");
  const dataHash = createHash("sha256");
  let sizeBytes = 0;
  let dataBytes = 0;
  let head = Buffer.alloc(0);
  let manifest: SegmentManifest | undefined;

  const addData = (bytes: Uint8Array): void => {
    dataHash.update(bytes);
    dataBytes += bytes.length;
  };
  const addHead = (bytes: Uint8Array): void => {
    head = Buffer.concat([head, bytes]);
    const end = head.length < PREFIX_BYTES ? Infinity : PREFIX_BYTES + head.readUInt32LE(PREFIX_BYTES - 4);
    if (end > MAX_HEAD_BYTES && head.length >= PREFIX_BYTES)
      throw damagedBlob(vault, name, "a manifest too long", "none");
    if (head.length < end) return;
    manifest = openManifest(request, id, head.subarray(0, end));
    addData(head.subarray(end));
  };
  return {
    update: (piece) => {
      whole.update(piece);
      sizeBytes += piece.length;
      if (manifest === undefined) addHead(piece);
      else addData(piece);
    },
    finish: () => {
      if (manifest === undefined) throw damagedBlob(vault, name, `${sizeBytes} bytes`, "more");
      const found = { sizeBytes: dataBytes, sha256: dataHash.digest("hex") };
      for (const field of ["sizeBytes", "sha256"] as const) {
        const expected = manifest.data[field];
        if (found[field] !== expected)
          throw damagedBlob(vault, name, `${field} ${found[field]} of data`, `${expected}`);
      }
      return { sizeBytes, sha256: whole.digest("hex") };
    },
  };
}

function openManifest({ vault, source, name, trusted }: CheckRequest, id: string, head: Buffer): SegmentManifest {
  const envelope = head.subarray(PREFIX_BYTES);
  if (!encodeHead(envelope).equals(head)) throw damagedBlob(vault, name, "another beginning", "a log segment");
  const { payload } = openEnvelope(envelope, "resguardo-segment", trusted, name);
  const manifest = parseSegmentManifest(payload, name);
  if (manifest.id === id && manifest.source.name === source) return manifest;
  throw damagedBlob(vault, name, `the segment ${manifest.id} of ${manifest.source.name}`, id);
}
