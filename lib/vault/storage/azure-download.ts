import type { BlockBlobClient } from "@azure/storage-blob";
import { mapInOrder } from "../map-in-order.ts";
import { azureFailureOf, type AzureRequest, type AzureTuning, call } from "./azure-call.ts";
import { blobChanged } from "./outcomes.ts";
import type { ByteRange, CallOptions } from "./storage.ts";

interface FirstPiece {
  bytes: Buffer;
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
  const { tuning } = target;
  const request: AzureRequest = { label: target.label, action: "read blob", name: target.name, signal: options.signal };
  const offset = range?.offset ?? 0;
  const wanted = range?.length ?? Number.POSITIVE_INFINITY;
  // Azure can't be asked for no byte; one is asked for instead, to learn whether the blob is there.
  const first = await readFirst(client, request, tuning, offset, Math.max(1, Math.min(wanted, tuning.blockBytes)));
  if (first === undefined || wanted === 0) return;
  yield first.bytes;

  const end = Math.min(first.blobBytes, offset + wanted);
  const readRange = async (rest: ByteRange): Promise<Buffer> => {
    try {
      return await call(request, tuning, async (abortSignal) => {
        const conditions = { ifMatch: first.etag };
        const response = await client.download(rest.offset, rest.length, { abortSignal, conditions });
        return collect(response.readableStreamBody, rest.length, request);
      });
    } catch (error: unknown) {
      throw azureFailureOf(error)?.status === 412 ? blobChanged(target.label, target.name, error) : error;
    }
  };
  yield* mapInOrder(cutIntoRanges(offset + first.bytes.length, end, tuning.blockBytes), tuning.parallel, readRange);
}

/** Undefined where the blob has no byte at the offset. */
async function readFirst(
  client: BlockBlobClient,
  request: AzureRequest,
  tuning: AzureTuning,
  offset: number,
  length: number,
): Promise<FirstPiece | undefined> {
  try {
    return await call(request, tuning, async (abortSignal) => {
      const response = await client.download(offset, length, { abortSignal });
      const { etag, contentLength = 0 } = response;
      const blobBytes = Number(/\/(\d+)$/.exec(response.contentRange ?? "")?.[1] ?? contentLength);
      const bytes = await collect(response.readableStreamBody, Math.min(length, blobBytes - offset), request);
      if (etag === undefined) throw blobChanged(request.label, request.name ?? "");
      return { bytes, etag, blobBytes };
    });
  } catch (error: unknown) {
    if (azureFailureOf(error)?.status === 416) return undefined;
    throw error;
  }
}

function* cutIntoRanges(start: number, end: number, length: number): Generator<ByteRange, void, undefined> {
  for (let offset = start; offset < end; offset += length) yield { offset, length: Math.min(length, end - offset) };
}

async function collect(
  body: NodeJS.ReadableStream | undefined,
  length: number,
  request: AzureRequest,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  for await (const piece of body ?? []) {
    if (!(piece instanceof Uint8Array) || filled + piece.length > length)
      throw blobChanged(request.label, request.name ?? "");
    bytes.set(piece, filled);
    filled += piece.length;
  }
  if (filled < length) throw blobChanged(request.label, request.name ?? "");
  return bytes;
}
