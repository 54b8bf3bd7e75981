import { Readable } from "node:stream";
import { createZstdDecompress } from "node:zlib";
import { Cursor, damaged } from "./cursor.ts";
import { type BinlogEvent, readEvents } from "./event.ts";

/** A transaction that the server compressed (binlog_transaction_compression). */
export interface TransactionPayload {
  compression: "zstd" | "none";
  uncompressedBytes: number;
  payload: Buffer;
}

const FIELD = { end: 0, payloadSize: 1, compression: 2, uncompressedSize: 3 } as const;
const COMPRESSION: Record<number, "zstd" | "none"> = { 0: "zstd", 255: "none" };

/** Reads the frame of a TRANSACTION_PAYLOAD event. */
function readPayload({ body }: BinlogEvent): TransactionPayload {
  const cursor = new Cursor(body);
  const sizes = { payload: 0, uncompressed: 0 };
  let compression: "zstd" | "none" | undefined;
  for (let field = cursor.packedLength(); field !== FIELD.end; field = cursor.packedLength()) {
    const value = new Cursor(cursor.bytes(cursor.packedLength()));
    if (field === FIELD.payloadSize) sizes.payload = value.packedLength();
    if (field === FIELD.uncompressedSize) sizes.uncompressed = value.packedLength();
    if (field === FIELD.compression) compression = COMPRESSION[value.packedLength()];
  }
  if (compression === undefined) throw damaged("a transaction compressed in an unknown way");
  return { compression, uncompressedBytes: sizes.uncompressed, payload: cursor.bytes(sizes.payload) };
}

const CHUNK_BYTES = 1024 * 1024;

/** The events inside, as many at a time as each MiB completes. They have no checksums and no positions. */
export async function* openPayload(event: BinlogEvent): AsyncGenerator<BinlogEvent[], void, void> {
  const { compression, payload } = readPayload(event);
  if (compression === "none") yield* readEvents([payload], false);
  else yield* readEvents(decompress(payload), false);
}

async function* decompress(payload: Buffer): AsyncGenerator<Buffer, void, void> {
  const decompressor = createZstdDecompress({ chunkSize: CHUNK_BYTES });
  const source = Readable.from([payload]);
  // A pipe hands no failure on; the reader below sees the one of the decompressor.
  source.on("error", (error) => decompressor.destroy(error));
  try {
    yield* source.pipe(decompressor);
  } catch (error: unknown) {
    throw damaged(`a compressed transaction does not decompress: ${error instanceof Error ? error.message : ""}`);
  } finally {
    source.destroy();
    decompressor.destroy();
  }
}
