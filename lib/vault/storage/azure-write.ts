import type { BlockBlobClient } from "@azure/storage-blob";
import { AppError } from "../../core/errors.ts";
import { azureFailureOf, type AzureRequest, type AzureTuning, call } from "./azure-call.ts";

/** What a blob's properties tell of the write that made it. */
export interface FoundWrite {
  /** The id that the writer put in the blob's metadata. */
  writeId: string | undefined;
  etag: string | undefined;
  sizeBytes: number;
}

/** The answers to a write "if absent" or "if unchanged" that may mean: a blob is there, and is not the one expected. */
const EXISTING = new Set([
  "BlobAlreadyExists",
  "ConditionNotMet",
  "BlobImmutableDueToPolicy",
  // A commit finds none of its blocks: another commit of that name has discarded them.
  "InvalidBlockList",
]);

export function wasRefusedForExisting(error: unknown): boolean {
  return EXISTING.has(azureFailureOf(error)?.code ?? "");
}

/** Undefined where there is no such blob. */
export async function lookUpWrite(
  client: BlockBlobClient,
  request: AzureRequest,
  tuning: AzureTuning,
): Promise<FoundWrite | undefined> {
  try {
    const found = await call(request, tuning, (abortSignal) => client.getProperties({ abortSignal }));
    return { writeId: found.metadata?.["write"], etag: found.etag, sizeBytes: found.contentLength ?? 0 };
  } catch (error: unknown) {
    if (error instanceof AppError && error.code === "BLOB_MISSING") return undefined;
    throw error;
  }
}
