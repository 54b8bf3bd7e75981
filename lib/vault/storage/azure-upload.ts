import { hash, randomUUID } from "node:crypto";
import type { BlockBlobClient, BlockBlobCommitBlockListOptions, BlockBlobUploadOptions } from "@azure/storage-blob";
import { AppError } from "../../core/errors.ts";
import { mapInOrder } from "../map-in-order.ts";
import { type AzureRequest, type AzureTuning, call } from "./azure-call.ts";
import { chunksOf, hasherFor } from "./chunks.ts";
import { blobExists } from "./outcomes.ts";
import { type FoundWrite, lookUpWrite, wasRefusedForExisting } from "./azure-write.ts";
import type { CreatedBlob, CreateOptions } from "./storage.ts";

interface Block {
  index: number;
  /** A view of a whole buffer, which is used again after the upload. */
  bytes: Buffer;
  isLast: boolean;
}

interface Target {
  label: string;
  name: string;
  tuning: AzureTuning;
  /** Where the service fetches the bytes of blocks from, instead of being sent them. */
  sourceUrl?: string;
  /** Nobody can change or remove the blob before; absent for a blob without such a policy. */
  immutableUntil?: Date | undefined;
}

/**
 * What fits one block is one Put Blob. Anything longer is staged as blocks, which nobody sees, and appears by one commit
 * "if absent"; Azure drops blocks that were never committed after a week. Each request carries the MD5 of its bytes, which
 * Azure checks, and the committed length is read back.
 */
export async function uploadBlob(
  client: BlockBlobClient,
  target: Target,
  data: AsyncIterable<Uint8Array> | Uint8Array,
  options: CreateOptions,
): Promise<CreatedBlob> {
  const { blockBytes, parallel } = target.tuning;
  const hasher = hasherFor(options);
  const upload = new Upload(client, target, options.signal);
  const pool: Buffer[] = [];
  const bufferBytes = data instanceof Uint8Array ? Math.min(data.length, blockBytes) : blockBytes;
  const takeBuffer = (): Buffer => pool.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
  const blocks = cutIntoBlocks(chunksOf(data, options.signal), (chunk) => hasher.update(chunk), takeBuffer);
  for await (const sent of mapInOrder(blocks, parallel, (block) => upload.send(block))) pool.push(sent);
  await upload.finish();
  return { sizeBytes: upload.sizeBytes, sha256: hasher.digest() };
}

/** The requests of one upload. Its id goes into the blob's metadata, by which an upload knows its own blob. */
class Upload {
  sizeBytes = 0;
  readonly #client: BlockBlobClient;
  readonly #target: Target;
  readonly #request: AzureRequest;
  readonly #writeId = randomUUID();
  readonly #blockIds: string[] = [];
  readonly #attributes: BlockBlobUploadOptions & BlockBlobCommitBlockListOptions;

  constructor(client: BlockBlobClient, target: Target, signal: AbortSignal | undefined) {
    this.#client = client;
    this.#target = target;
    const { immutableUntil } = target;
    this.#attributes = {
      conditions: { ifNoneMatch: "*" },
      metadata: { write: this.#writeId },
      ...(immutableUntil && { immutabilityPolicy: { expiriesOn: immutableUntil, policyMode: "Locked" } }),
    };
    this.#request = { label: target.label, action: "write blob", name: target.name, signal };
  }

  async send({ index, bytes, isLast }: Block): Promise<Buffer> {
    const md5 = hash("md5", bytes, "buffer");
    this.sizeBytes += bytes.length;
    if (index === 0 && isLast && (await this.#putWhole(bytes, md5))) return bytes;
    const blockId = blockIdOf(this.#writeId, index);
    this.#blockIds.push(blockId);
    const { sourceUrl } = this.#target;
    if (sourceUrl !== undefined) await this.#stageFrom(sourceUrl, { index, bytes, isLast }, blockId, md5);
    else {
      await this.#call((abortSignal) =>
        this.#client.stageBlock(blockId, bytes, bytes.length, { abortSignal, transactionalContentMD5: md5 }),
      );
    }
    return bytes;
  }

  /** Azure compares what it fetches with the MD5 of what was read here, so that the hash of the stream is that of the blob. */
  async #stageFrom(sourceUrl: string, { index, bytes }: Block, blockId: string, md5: Buffer): Promise<void> {
    const { label, name, tuning } = this.#target;
    const offset = index * tuning.blockBytes;
    try {
      await this.#call((abortSignal) => {
        const settings = { abortSignal, sourceContentMD5: md5 };
        return this.#client.stageBlockFromURL(blockId, sourceUrl, offset, bytes.length, settings);
      });
    } catch (error: unknown) {
      // It is the other account's blob that this one can't see.
      if (!(error instanceof AppError) || error.code !== "BLOB_MISSING") throw error;
      throw new AppError(
        "STORAGE_REFUSED",
        `vault ${label}: can't fetch blob ${JSON.stringify(name)} from another account`,
        {
          hint: "Check that the accounts' firewalls let the storage services reach each other.",
          cause: error.cause,
        },
      );
    }
  }

  /** Commits what was staged, and makes sure that it is all there. */
  async finish(): Promise<void> {
    if (this.#blockIds.length === 0) return;
    const committed = await this.#ifAbsent((abortSignal) =>
      this.#client.commitBlockList(this.#blockIds, { ...this.#attributes, abortSignal }),
    );
    const found = committed ? await this.#lookUp() : undefined;
    if (found?.writeId === this.#writeId && found.sizeBytes === this.sizeBytes) return;
    const { label, name } = this.#target;
    const problem = `${found?.sizeBytes ?? 0} of ${this.sizeBytes} bytes are in the committed blob`;
    throw new AppError("STORAGE_UNAVAILABLE", `vault ${label}: can't write blob ${JSON.stringify(name)}: ${problem}`);
  }

  /** False where Azurite refuses it for blocks that a dead upload left under that name; a commit it takes. */
  #putWhole(bytes: Buffer, blobContentMD5: Buffer): Promise<boolean> {
    const settings = { ...this.#attributes, blobHTTPHeaders: { blobContentMD5 } };
    return this.#ifAbsent((abortSignal) => this.#client.upload(bytes, bytes.length, { ...settings, abortSignal }));
  }

  /** An answer may be lost, and the repeated request then meets the blob of the first one: that is ours, and no failure. */
  async #ifAbsent(write: (signal: AbortSignal) => Promise<unknown>): Promise<boolean> {
    try {
      await this.#call(write);
      return true;
    } catch (error: unknown) {
      if (!wasRefusedForExisting(error)) throw error;
      const found = await this.#lookUp();
      if (found === undefined) return false;
      if (found.writeId === this.#writeId) return true;
      throw blobExists(this.#target.label, this.#target.name, error);
    }
  }

  #lookUp(): Promise<FoundWrite | undefined> {
    return lookUpWrite(this.#client, this.#request, this.#target.tuning);
  }

  #call<T>(send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return call(this.#request, this.#target.tuning, send);
  }
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
