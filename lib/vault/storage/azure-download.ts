import type { BlockBlobClient } from "@azure/storage-blob";
import { mapInOrder } from "../map-in-order.ts";
import { azureFailureOf, type AzureRequest, type AzureTuning, call } from "./azure-call.ts";
import { blobChanged } from "./outcomes.ts";
import type { ByteRange, CallOptions } from "./storage.ts";

type BlobRequest = AzureRequest & { name: string };

interface FirstRange {
  pieces: Buffer[];
  sizeBytes: number;
  /** Of the whole blob; every further range is asked of this version only. */
  etag: string;
  blobBytes: number;
}

/** The first range tells the blob's length and version; the others come in parallel, and are handed out in order. */
export async function* downloadBlob(
  client: BlockBlobClient,
  target: { label: string; name: string; tuning: AzureTuning },
  range: ByteRange | undefined,
  options: CallOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const { tuning, label, name } = target;
  const request = { label, action: "read blob", name, signal: options.signal };
  const offset = range?.offset ?? 0;
  const wanted = range?.length ?? Number.POSITIVE_INFINITY;
  // Azure can't be asked for no byte; one is asked for instead, to learn whether the blob is there.
  const first = await readFirst(client, request, tuning, offset, Math.max(1, Math.min(wanted, tuning.blockBytes)));
  if (first === undefined || wanted === 0) return;
  yield* first.pieces;

  const readRange = async (rest: ByteRange): Promise<Buffer[]> => {
    try {
      return await call(request, tuning, async (abortSignal) => {
        const conditions = { ifMatch: first.etag };
        const response = await client.download(rest.offset, rest.length, { abortSignal, conditions });
        return collect(response.readableStreamBody, rest.length, request);
      });
    } catch (error: unknown) {
      throw azureFailureOf(error)?.status === 412 ? blobChanged(label, name, error) : error;
    }
  };
  const end = Math.min(first.blobBytes, offset + wanted);
  const ranges = cutIntoRanges(offset + first.sizeBytes, end, tuning.blockBytes);
  for await (const pieces of mapInOrder(ranges, tuning.parallel, readRange)) yield* pieces;
}

/** Undefined where the blob has no byte at the offset. */
async function readFirst(
  client: BlockBlobClient,
  request: BlobRequest,
  tuning: AzureTuning,
  offset: number,
  length: number,
): Promise<FirstRange | undefined> {
  try {
    return await call(request, tuning, async (abortSignal) => {
      const { etag, contentLength, contentRange, readableStreamBody } = await client.download(offset, length, {
        abortSignal,
      });
      const blobBytes = Number(/\/(\d+)$/.exec(contentRange ?? "")?.[1] ?? contentLength ?? 0);
      const sizeBytes = Math.min(length, blobBytes - offset);
      const pieces = await collect(readableStreamBody, sizeBytes, request);
      if (etag === undefined) throw blobChanged(request.label, request.name);
      return { pieces, sizeBytes, etag, blobBytes };
    });
  } catch (error: unknown) {
    if (azureFailureOf(error)?.status === 416) return undefined;
    throw error;
  }
}

function* cutIntoRanges(start: number, end: number, length: number): Generator<ByteRange, void, undefined> {
  for (let offset = start; offset < end; offset += length) yield { offset, length: Math.min(length, end - offset) };
}

/** As they came from the socket: whoever needs them in one piece copies them anyway. */
async function collect(
  body: NodeJS.ReadableStream | undefined,
  length: number,
  request: BlobRequest,
): Promise<Buffer[]> {
  const pieces = await Array.fromAsync(body ?? [], (piece) => (Buffer.isBuffer(piece) ? piece : Buffer.from(piece)));
  const found = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (found !== length) throw blobChanged(request.label, request.name);
  return pieces;
}
