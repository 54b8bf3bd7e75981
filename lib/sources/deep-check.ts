import type { SourcePolicy } from "../core/policy-schema.ts";
import { type BackupReader, openBackupReader } from "../vault/backup-reader.ts";
import type { Context } from "../vault/context.ts";
import type { DecryptionKey } from "../vault/keys/key.ts";
import { SegmentReader } from "../vault/segment-reader.ts";
import type { Vault } from "../vault/vault.ts";
import type { DeepCheck } from "../vault/verify-look.ts";

/** What the private key of the policy shows of a source's backups and log. Throws what opening the key throws. */
export async function deepCheckOf(context: Context, source: SourcePolicy): Promise<DeepCheck> {
  return deepCheck(source.kind, [await context.decryptionKey()]);
}

/** Opens every chunk with the private keys. */
export function deepCheck(_kind: SourcePolicy["kind"], keys: readonly DecryptionKey[]): DeepCheck {
  const readers = new Map<string, Promise<BackupReader>>();
  const logs = new Map<Vault, SegmentReader>();
  return {
    async openBlob(vault, manifest, blob, signal) {
      const key = `${vault.name}/${manifest.id}`;
      const opening = readers.get(key) ?? openBackupReader({ vault, manifest, keys, signal });
      readers.set(key, opening);
      const chunks = (await opening).readBlob(blob.name);
      while (!(await chunks.next()).done) signal?.throwIfAborted();
    },
    async openSegment(query, segment) {
      const reader = logs.get(query.vault) ?? new SegmentReader(query, keys);
      logs.set(query.vault, reader);
      const chunks = reader.read(segment, query.signal);
      while (!(await chunks.next()).done) query.signal?.throwIfAborted();
    },
  };
}
