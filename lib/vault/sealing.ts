import { createCipheriv, randomBytes } from "node:crypto";
import { cutIntoChunks } from "./chunking.ts";
import { compress } from "./compressor.ts";
import { mapInOrder } from "./map-in-order.ts";
import {
  aadOf,
  type BlobKey,
  CIPHER,
  deriveBlobKey,
  FRAME_HEAD_BYTES,
  LAST_FRAME_FLAG,
  MAGIC,
  nonceOf,
  SALT_BYTES,
  type SealContext,
  TAG_BYTES,
} from "./sealed-format.ts";

/** Chunks in the thread pool at once; more than three gain nothing on two cores and cost 5 MiB each. */
const CHUNKS_IN_FLIGHT = 3;

/** What was sealed. */
export interface SealedTotals {
  plainBytes: number;
  chunks: number;
}

export interface SealOptions extends SealContext {
  /** Where the salt comes from; tests inject it. */
  random?: (size: number) => Buffer;
  /** Called with a piece of the plain stream when its memory may be used again. Not every piece is given back. */
  recycle?: (piece: Uint8Array) => void;
}

/** A stream being sealed. */
export interface Sealing {
  /** The sealed blob. Throws what the plain stream throws. */
  readonly bytes: AsyncIterable<Buffer>;
  /** Grows while `bytes` is read; final after its end. */
  readonly totals: Readonly<SealedTotals>;
}

/**
 * Compresses and encrypts a stream while it is read. Pieces are compressed in other threads: the memory of a piece must
 * not be changed after it was handed over.
 */
export function seal(plain: AsyncIterable<Uint8Array>, options: SealOptions): Sealing {
  const totals = { plainBytes: 0, chunks: 0 };
  return { bytes: sealFrames(plain, options, totals), totals };
}

async function* sealFrames(
  plain: AsyncIterable<Uint8Array>,
  options: SealOptions,
  totals: SealedTotals,
): AsyncGenerator<Buffer, void, void> {
  const salt = (options.random ?? randomBytes)(SALT_BYTES);
  const blobKey = deriveBlobKey(options, salt);
  yield Buffer.concat([MAGIC, salt]);
  // One chunk is held back, since only the end of the stream tells which one is the last.
  let held: Buffer[] | undefined;
  const compressed = mapInOrder(cutIntoChunks(plain), CHUNKS_IN_FLIGHT, async (chunk) => {
    const zstd = await compress(chunk);
    options.recycle?.(chunk);
    return { zstd, plainBytes: chunk.length };
  });
  for await (const { zstd, plainBytes } of compressed) {
    totals.plainBytes += plainBytes;
    if (held) yield* sealChunk(held, totals.chunks++, false, blobKey);
    held = zstd;
  }
  held ??= await compress(Buffer.alloc(0));
  yield* sealChunk(held, totals.chunks++, true, blobKey);
}

/** A frame, in pieces: to join them would be a copy of everything, and as much garbage. */
function* sealChunk(zstd: readonly Buffer[], chunk: number, isLast: boolean, blobKey: BlobKey): Generator<Buffer> {
  const nonce = nonceOf(chunk, isLast);
  const cipher = createCipheriv(CIPHER, blobKey.key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aadOf(blobKey, nonce));
  const bodyBytes = zstd.reduce((sum, { length }) => sum + length, TAG_BYTES);
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt32LE(isLast ? (bodyBytes | LAST_FRAME_FLAG) >>> 0 : bodyBytes);
  yield head;
  for (const piece of zstd) yield cipher.update(piece);
  cipher.final();
  yield cipher.getAuthTag();
}
