import { hash, randomUUID } from "node:crypto";
import type { BlockBlobClient } from "@azure/storage-blob";
import { AppError } from "../../core/errors.ts";
import { mapInOrder } from "../map-in-order.ts";
import { type AzureTuning, call } from "./azure-call.ts";
import { chunksOf, hasherFor } from "./chunks.ts";
import { blobExists } from "./outcomes.ts";
import { lookUpWrite, wasRefusedForExisting } from "./azure-write.ts";
import type { CreatedBlob, CreateOptions } from "./storage.ts";

interface Block {
  index: number;
  /** A view of a whole buffer of `blockBytes`, which is used again after the upload. */
  bytes: Buffer;
  isLast: boolean;
}

/**
 * What fits one block is one Put Blob. Anything longer is staged as blocks, which nobody sees, and appears by one commit
 * "if absent"; Azure drops blocks that were never committed after a week. Each request carries the MD5 of its bytes, which
 * Azure checks, and the committed length is read back.
 */
export async function uploadBlob(
  client: BlockBlobClient,
  target: { label: string; name: string; tuning: AzureTuning },
  data: AsyncIterable<Uint8Array> | Uint8Array,
  options: CreateOptions,
): Promise<CreatedBlob> {
  const { tuning } = target;
  const request = { label: target.label, action: "write blob", name: target.name, signal: options.signal };
  const writeId = randomUUID();
  const conditions = { ifNoneMatch: "*" };
  const metadata = { write: writeId };
  const blockIds: string[] = [];
  let sizeBytes = 0;

  async function send({ index, bytes, isLast }: Block): Promise<Buffer> {
    const md5 = md5Of(bytes);
    sizeBytes += bytes.length;
    if (index === 0 && isLast) {
      const blobHTTPHeaders = { blobContentMD5: md5 };
      await ifAbsent((abortSignal) =>
        client.upload(bytes, bytes.length, { abortSignal, conditions, metadata, blobHTTPHeaders }),
      );
      return bytes;
    }
    const blockId = blockIdOf(writeId, index);
    blockIds.push(blockId);
    await call(request, tuning, (abortSignal) =>
      client.stageBlock(blockId, bytes, bytes.length, { abortSignal, transactionalContentMD5: md5 }),
    );
    return bytes;
  }

  /** An answer may be lost, and the repeated request then meets the blob of the first one: that is ours, and no failure. */
  async function ifAbsent(write: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    try {
      await call(request, tuning, write);
    } catch (error: unknown) {
      if (!wasRefusedForExisting(error)) throw error;
      const found = await lookUpWrite(client, request, tuning);
      if (found === undefined) throw error;
      if (found.writeId !== writeId) throw blobExists(target.label, target.name, error);
    }
  }

  async function commit(): Promise<void> {
    await ifAbsent((abortSignal) => client.commitBlockList(blockIds, { abortSignal, conditions, metadata }));
    const found = await lookUpWrite(client, request, tuning);
    if (found?.writeId === writeId && found.sizeBytes === sizeBytes) return;
    const problem = `${found?.sizeBytes ?? 0} of ${sizeBytes} bytes are in the committed blob`;
    throw new AppError(
      "STORAGE_UNAVAILABLE",
      `vault ${target.label}: can't write blob ${JSON.stringify(target.name)}: ${problem}`,
    );
  }

  const hasher = hasherFor(options);
  const pool: Buffer[] = [];
  const takeBuffer = (): Buffer => pool.pop() ?? Buffer.allocUnsafeSlow(tuning.blockBytes);
  const blocks = cutIntoBlocks(chunksOf(data, options.signal), (chunk) => hasher.update(chunk), takeBuffer);
  for await (const sent of mapInOrder(blocks, tuning.parallel, send)) pool.push(sent);
  if (blockIds.length > 0) await commit();
  return { sizeBytes, sha256: hasher.digest() };
}

/** Full blocks, then a last one that may be shorter or empty. A full block waits for the next chunk, to know if it is the last. */
async function* cutIntoBlocks(
  chunks: AsyncIterable<Uint8Array>,
  onChunk: (chunk: Uint8Array) => void,
  takeBuffer: () => Buffer,
): AsyncGenerator<Block, void, undefined> {
  let index = 0;
  let buffer = takeBuffer();
  let filled = 0;
  for await (const chunk of chunks) {
    onChunk(chunk);
    for (let offset = 0; offset < chunk.length;) {
      if (filled === buffer.length) {
        yield { index: index++, bytes: buffer, isLast: false };
        buffer = takeBuffer();
        filled = 0;
      }
      const part = chunk.subarray(offset, offset + buffer.length - filled);
      buffer.set(part, filled);
      filled += part.length;
      offset += part.length;
    }
  }
  yield { index, bytes: buffer.subarray(0, filled), isLast: true };
}

/** Uploads of one name share Azure's list of uncommitted blocks, so the ids differ by upload; all must have one length. */
function blockIdOf(writeId: string, index: number): string {
  return Buffer.from(`${writeId}-${String(index).padStart(6, "0")}`).toString("base64");
}

function md5Of(bytes: Buffer): Buffer {
  return hash("md5", bytes, "buffer");
}
