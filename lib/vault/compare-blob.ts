import { createHash } from "node:crypto";
import { damagedBlob } from "./damaged-blob.ts";
import type { Vault } from "./vault.ts";

export interface StoredBytes {
  vault: Vault;
  /** Of the blob. */
  name: string;
  /** Where they start in the blob. */
  offset: number;
}

/** Reads stored bytes back and compares them with what a manifest says of them. Throws BLOB_DAMAGED, and what the storage throws. */
export async function compareBlob(
  { vault, name, offset }: StoredBytes,
  expected: { sizeBytes: number; sha256: string },
  { signal, onRead }: { signal: AbortSignal | undefined; onRead: (bytes: number) => void },
): Promise<void> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const range = offset === 0 ? undefined : { offset, length: expected.sizeBytes };
  for await (const piece of vault.storage.data.read(name, range, signal ? { signal } : {})) {
    hash.update(piece);
    sizeBytes += piece.length;
    onRead(piece.length);
  }
  const found = { sizeBytes, sha256: hash.digest("hex") };
  for (const field of ["sizeBytes", "sha256"] as const) {
    if (found[field] === expected[field]) continue;
    throw damagedBlob(vault.name, name, `${field} ${found[field]}`, `${expected[field]}`);
  }
}
