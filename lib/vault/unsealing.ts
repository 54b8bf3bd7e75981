import { createDecipheriv, createHash } from "node:crypto";
import { promisify } from "node:util";
import { zstdDecompress } from "node:zlib";
import { AppError } from "../core/errors.ts";
import { ByteReader } from "./byte-reader.ts";
import { mapInOrder } from "./map-in-order.ts";
import {
  aadOf,
  type BlobKey,
  CIPHER,
  deriveBlobKey,
  FRAME_HEAD_BYTES,
  HEADER_BYTES,
  LAST_FRAME_FLAG,
  MAGIC,
  MAX_CHUNK_BYTES,
  MAX_FRAME_BYTES,
  nonceOf,
  type SealContext,
  TAG_BYTES,
} from "./sealed-format.ts";
import type { SealedTotals } from "./sealing.ts";

const decompress = promisify(zstdDecompress);
const CHUNKS_IN_FLIGHT = 3;
// The output is bounded, so a small blob can't fill the memory.
const ZSTD_OPTIONS = { chunkSize: 1024 * 1024, maxOutputLength: MAX_CHUNK_BYTES };

/** What a sealed blob turned out to be. */
export interface UnsealedSummary extends SealedTotals {
  /** Of the sealed blob, header included. */
  sizeBytes: number;
  /** Hex, of the sealed blob. */
  sha256: string;
}

/**
 * Opens a sealed blob: yields its plain chunks, each authenticated before it is seen, and returns what the blob was.
 * Throws BLOB_TRUNCATED, CHUNK_FORGED, or BLOB_DAMAGED for what is not a sealed blob; and what `sealed` throws.
 */
export async function* unseal(
  sealed: AsyncIterable<Buffer>,
  context: SealContext,
): AsyncGenerator<Buffer, UnsealedSummary, void> {
  const summary = { sizeBytes: 0, plainBytes: 0, chunks: 0, sha256: "" };
  const hash = createHash("sha256");
  await using reader = new ByteReader(sealed, (piece) => {
    hash.update(piece);
    summary.sizeBytes += piece.length;
  });
  const openChunk = (zstd: Buffer) => decompressChunk(zstd, context.blobName);
  for await (const plain of mapInOrder(decryptFrames(reader, context), CHUNKS_IN_FLIGHT, openChunk)) {
    summary.chunks++;
    summary.plainBytes += plain.length;
    if (plain.length > 0) yield plain;
  }
  summary.sha256 = hash.digest("hex");
  return summary;
}

async function* decryptFrames(reader: ByteReader, context: SealContext): AsyncGenerator<Buffer, void, void> {
  const { blobName } = context;
  const header = await reader.take(HEADER_BYTES);
  if (header.length < HEADER_BYTES) throw truncated(blobName, 0);
  if (!header.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw damaged(
      blobName,
      `it starts with ${header.toString("hex", 0, MAGIC.length)}, expected "${MAGIC.toString()}"`,
    );
  }
  const blobKey = deriveBlobKey(context, header.subarray(MAGIC.length));
  for (let chunk = 0, isLast = false; !isLast; chunk++) {
    const head = await reader.take(FRAME_HEAD_BYTES);
    if (head.length < FRAME_HEAD_BYTES) throw truncated(blobName, chunk);
    const word = head.readUInt32LE(0);
    isLast = word >= LAST_FRAME_FLAG;
    const bodyBytes = isLast ? word - LAST_FRAME_FLAG : word;
    if (bodyBytes < TAG_BYTES || bodyBytes > MAX_FRAME_BYTES) {
      throw damaged(blobName, `chunk ${chunk} says it has ${bodyBytes} bytes, at most ${MAX_FRAME_BYTES} are allowed`);
    }
    const body = await reader.take(bodyBytes);
    if (body.length < bodyBytes) throw truncated(blobName, chunk);
    yield decryptChunk(body, chunk, isLast, blobKey, blobName);
  }
  if ((await reader.take(1)).length > 0) throw damaged(blobName, "bytes follow its last chunk");
}

function decryptChunk(body: Buffer, chunk: number, isLast: boolean, blobKey: BlobKey, blobName: string): Buffer {
  const nonce = nonceOf(chunk, isLast);
  const decipher = createDecipheriv(CIPHER, blobKey.key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(aadOf(blobKey, nonce));
  decipher.setAuthTag(body.subarray(body.length - TAG_BYTES));
  const zstd = decipher.update(body.subarray(0, body.length - TAG_BYTES));
  try {
    decipher.final();
  } catch (error: unknown) {
    throw new AppError("CHUNK_FORGED", `blob "${blobName}": chunk ${chunk} fails authentication`, {
      hint: "The blob was changed, moved, or sealed for another backup; restore from another vault or an older backup.",
      cause: error,
    });
  }
  return zstd;
}

async function decompressChunk(zstd: Buffer, blobName: string): Promise<Buffer> {
  try {
    return await decompress(zstd, ZSTD_OPTIONS);
  } catch (error: unknown) {
    throw damaged(blobName, `an authentic chunk is not a zstd frame of at most ${MAX_CHUNK_BYTES} bytes`, error);
  }
}

function truncated(blobName: string, chunk: number): AppError {
  return new AppError("BLOB_TRUNCATED", `blob "${blobName}" ends within chunk ${chunk}, before its last chunk`, {
    hint: "The blob was cut off; restore from another vault or an older backup.",
  });
}

function damaged(blobName: string, what: string, cause?: unknown): AppError {
  return new AppError("BLOB_DAMAGED", `blob "${blobName}": ${what}`, {
    hint: "The blob is not what was written; restore from another vault or an older backup.",
    cause,
  });
}
