import { damagedBlob } from "./damaged-blob.ts";
import { unwrapDataKey } from "./keys/data-key.ts";
import type { DecryptionKey, Recipient } from "./keys/key.ts";
import type { ValidSegment } from "./segment-head.ts";
import { SEGMENT_DATA } from "./segment-writer.ts";
import { unseal } from "./unsealing.ts";
import type { Vault } from "./vault.ts";

/** Opens the data of segments; asks a key service once for each data key. */
export class SegmentReader {
  readonly #vault: Vault;
  readonly #keys: readonly DecryptionKey[];
  readonly #dataKeys = new Map<string, Promise<Buffer>>();

  constructor(vault: Vault, keys: readonly DecryptionKey[]) {
    this.#vault = vault;
    this.#keys = keys;
  }

  /**
   * The log in a segment, in chunks of 4 MiB at most, none of them seen before it was authenticated; size and hash are compared
   * at the end. Throws KEY_NOT_RECIPIENT, BLOB_MISSING, BLOB_DAMAGED, BLOB_TRUNCATED, CHUNK_FORGED, and what storage and key
   * service throw.
   */
  async *read(segment: ValidSegment, signal?: AbortSignal): AsyncGenerator<Buffer, void, void> {
    const { content, name, dataOffset } = segment;
    if (content.data.plainBytes === 0) return;
    const dataKey = await this.#dataKey(content.encryption.recipients);
    const range = { offset: dataOffset, length: content.data.sizeBytes };
    const sealed = this.#vault.storage.data.read(name, range, signal ? { signal } : {});
    const found = yield* unseal(sealed, { dataKey, backupId: segment.id, blobName: SEGMENT_DATA });
    for (const field of ["sizeBytes", "sha256", "plainBytes", "chunks"] as const) {
      const expected = content.data[field];
      if (found[field] !== expected) {
        throw damagedBlob(this.#vault.name, name, `${field} ${found[field]}`, `${expected}`);
      }
    }
  }

  #dataKey(recipients: readonly Recipient[]): Promise<Buffer> {
    const id = recipients.map(({ wrappedKey }) => wrappedKey).join();
    const known = this.#dataKeys.get(id) ?? unwrapDataKey(recipients, this.#keys);
    this.#dataKeys.set(id, known);
    return known;
  }
}
