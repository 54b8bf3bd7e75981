import { AppError } from "../core/errors.ts";
import { damagedBlob } from "./damaged-blob.ts";
import { unwrapDataKey } from "./keys/data-key.ts";
import type { DecryptionKey } from "./keys/key.ts";
import type { BlobRecord, Manifest } from "./manifest.ts";
import { dataName } from "./names.ts";
import { unseal, type UnsealedSummary } from "./unsealing.ts";
import type { Vault } from "./vault.ts";

/** What engines see of a backup that is being restored. */
export interface BackupReader {
  readonly manifest: Manifest;
  /**
   * The plain chunks of a blob, at most 4 MiB each and in order, none of them seen before it was authenticated. After the last
   * one, size and hash of the whole blob are compared with the manifest. Throws BLOB_MISSING, BLOB_DAMAGED, BLOB_TRUNCATED,
   * CHUNK_FORGED, and what the storage throws.
   */
  readBlob(name: string): AsyncGenerator<Buffer, void, void>;
}

export interface BackupReaderOptions {
  vault: Vault;
  /** Verified: `readBackup` and `listBackups` give it. */
  manifest: Manifest;
  keys: readonly DecryptionKey[];
  signal?: AbortSignal | undefined;
}

/** Unwraps the backup's data key. Throws KEY_NOT_RECIPIENT, and what a key service throws. */
export async function openBackupReader(options: BackupReaderOptions): Promise<BackupReader> {
  const { vault, manifest, keys, signal } = options;
  const dataKey = await unwrapDataKey(manifest.encryption.recipients, keys);
  return {
    manifest,
    async *readBlob(name) {
      const entry = findBlob(manifest, name);
      const stored = dataName(manifest.source.name, manifest.id, name);
      const sealed = vault.storage.data.read(stored, undefined, signal ? { signal } : {});
      const found = yield* unseal(sealed, { dataKey, backupId: manifest.id, blobName: name });
      assertAsWritten(vault.name, stored, entry, found);
    },
  };
}

function findBlob(manifest: Manifest, name: string): BlobRecord {
  const entry = manifest.blobs.find((candidate) => candidate.name === name);
  if (entry) return entry;
  throw new AppError("BLOB_MISSING", `backup ${manifest.id}: its manifest names no blob "${name}"`, {
    hint: "The backup was made by a version that writes other blobs; restore it with that version.",
  });
}

function assertAsWritten(vault: string, name: string, entry: BlobRecord, found: UnsealedSummary): void {
  for (const field of ["sizeBytes", "sha256", "plainBytes", "chunks"] as const) {
    if (entry[field] !== found[field]) throw damagedBlob(vault, name, `${field} ${found[field]}`, `${entry[field]}`);
  }
}
