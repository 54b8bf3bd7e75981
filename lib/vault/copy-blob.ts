import { AppError, toAppError } from "../core/errors.ts";
import { readBlobBytes } from "./blob-bytes.ts";
import { type BlobContent, checked, checkFor, type Expected } from "./blob-check.ts";
import { compareBlob } from "./compare-blob.ts";
import type { TrustedKeys } from "./keys/key.ts";
import { copyBetween } from "./storage/copy-between.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

export interface CopyBlobRequest extends CallOptions {
  from: Vault;
  to: Vault;
  source: string;
  /** Of the blob, the same in both vaults. */
  name: string;
  expected: Expected;
  trusted: TrustedKeys;
  /** Told why a storage did not fetch the bytes from the other one itself. */
  onStreaming?: (error: AppError) => void;
}

/**
 * Copies a blob as it is, sealed, and reads it back where it landed. Bytes that are not what they should be never become a
 * blob. One that is there already counts when it holds what it should, and is not new. Throws a `verify` error whose message
 * names the vault whose blob is wrong, and what the storages throw.
 */
export async function copyBlob(request: CopyBlobRequest): Promise<BlobContent & { isNew: boolean }> {
  const { to, name, signal } = request;
  const copied = await createCopy(request);
  if (copied === undefined) return { ...(await readThrough(request)), isNew: false };
  await compareBlob({ vault: to, name, offset: 0 }, copied, { signal, onRead: () => {} });
  return { ...copied, isNew: true };
}

/** Undefined where a blob of that name is there. */
async function createCopy({ from, to, ...request }: CopyBlobRequest): Promise<BlobContent | undefined> {
  const { name, signal, onStreaming } = request;
  let content: BlobContent | undefined;
  const watch = (bytes: AsyncIterable<Buffer>) =>
    checked(bytes, checkFor({ ...request, vault: from.name }), (found) => (content = found));
  const options = { ...(signal && { signal }), ...(onStreaming && { onStreaming }) };
  try {
    await copyBetween({ from: from.storage.data, to: to.storage.data, name, watch, ...options }).catch(
      async (error: unknown) => {
        if (toAppError(error).code !== "BLOB_MISSING") throw error;
        // A segment may lie there merged with others.
        await to.storage.data.create(name, watch(readBlobBytes({ ...request, vault: from }, name)), options);
      },
    );
  } catch (error: unknown) {
    if (toAppError(error).code === "BLOB_EXISTS") return undefined;
    throw error;
  }
  if (content === undefined) throw new AppError("INVARIANT", `${name}: created before its last byte was read`);
  return content;
}

async function readThrough({ to, ...request }: CopyBlobRequest): Promise<BlobContent> {
  const { name, signal } = request;
  const check = checkFor({ ...request, vault: to.name });
  for await (const piece of to.storage.data.read(name, undefined, signal ? { signal } : {})) check.update(piece);
  return check.finish();
}
