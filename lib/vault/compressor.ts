import { constants, createZstdCompress, type ZstdCompress } from "node:zlib";

const OPTIONS = {
  // Each write is a whole frame, and where the room left in the output buffer is enough for the worst case, zstd goes straight
  // from the caller's memory into it: no window of its own to copy through, a third less time. Smaller buffers seldom have it.
  flush: constants.ZSTD_e_end,
  chunkSize: 8 * 1024 * 1024,
  params: { [constants.ZSTD_c_compressionLevel]: 1 },
};

/** Streams that wait for their next frame. A new one for each chunk would cost more garbage than the chunk itself. */
const idle: ZstdCompress[] = [];
const MAX_IDLE = 8;

/**
 * Compresses a chunk, in another thread, into a zstd frame of its own, which comes in pieces. The chunk must not be
 * changed meanwhile.
 */
export async function compress(chunk: Uint8Array): Promise<Buffer[]> {
  const stream = idle.pop() ?? createZstdCompress(OPTIONS);
  const frame = await compressFrame(stream, chunk);
  if (idle.length < MAX_IDLE) idle.push(stream);
  else stream.destroy();
  return frame;
}

function compressFrame(stream: ZstdCompress, chunk: Uint8Array): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  return new Promise((resolve, reject: (reason: Error) => void) => {
    const onData = (piece: Buffer): void => void pieces.push(piece);
    stream.on("data", onData);
    stream.once("error", reject);
    stream.write(chunk, () => {
      stream.off("data", onData);
      stream.off("error", reject);
      resolve(pieces);
    });
  });
}
