import { MAX_CHUNK_BYTES } from "./sealed-format.ts";

/** Smaller pieces are gathered: a chunk costs a compression context and 20 bytes, however short it is. */
const GATHER_BELOW_BYTES = 256 * 1024;
const GATHERED_BYTES = 1024 * 1024;

/**
 * Cuts a stream into chunks of at most 4 MiB. Pieces of 256 KiB or more pass without being copied, so a piece must not be
 * changed after it was handed over. Yields no empty chunk.
 */
export async function* cutIntoChunks(plain: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  let small: Uint8Array[] = [];
  let smallBytes = 0;
  const gathered = () => {
    const chunk = small.length === 1 && small[0] ? small[0] : Buffer.concat(small, smallBytes);
    small = [];
    smallBytes = 0;
    return chunk;
  };
  for await (const piece of plain) {
    if (piece.length === 0) continue;
    if (piece.length < GATHER_BELOW_BYTES) {
      small.push(piece);
      smallBytes += piece.length;
      if (smallBytes >= GATHERED_BYTES) yield gathered();
      continue;
    }
    if (smallBytes > 0) yield gathered();
    yield* split(piece);
  }
  if (smallBytes > 0) yield gathered();
}

function* split(piece: Uint8Array): Generator<Uint8Array> {
  if (piece.length <= MAX_CHUNK_BYTES) {
    yield piece;
    return;
  }
  for (let start = 0; start < piece.length; start += MAX_CHUNK_BYTES) {
    yield piece.subarray(start, start + MAX_CHUNK_BYTES);
  }
}
