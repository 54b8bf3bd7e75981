import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

/** A small stretch of a blob in one piece; shorter where the blob ends before. Throws what the storage throws. */
export async function readRange(
  vault: Vault,
  name: string,
  offset: number,
  length: number,
  { signal }: CallOptions = {},
): Promise<Buffer> {
  return Buffer.concat(
    await Array.fromAsync(vault.storage.data.read(name, { offset, length }, signal ? { signal } : {})),
  );
}
