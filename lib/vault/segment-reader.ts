import { damagedBlob } from "./damaged-blob.ts";
import { unwrapDataKey } from "./keys/data-key.ts";
import type { DecryptionKey, Recipient } from "./keys/key.ts";
import { ReadAhead } from "./read-ahead.ts";
import { listRewraps, WrappedCopies } from "./rewraps.ts";
import { type SegmentQuery, type ValidSegment, whereMoved } from "./segment-head.ts";
import { SEGMENT_DATA } from "./segment-writer.ts";
import { unseal } from "./unsealing.ts";

/** Opens the data of segments; asks a key service once for each data key. */
export class SegmentReader {
  readonly #query: SegmentQuery;
  readonly #keys: readonly DecryptionKey[];
  readonly #dataKeys = new Map<string, Promise<Buffer>>();
  readonly #ahead: ReadAhead;
  /** What rotations wrapped anew; read when the first data key is wanted. */
  #copies: Promise<WrappedCopies> | undefined;

  constructor(query: SegmentQuery, keys: readonly DecryptionKey[]) {
    this.#query = query;
    this.#keys = keys;
    this.#ahead = new ReadAhead(query.vault);
  }

  /**
   * The log in a segment, in chunks of 4 MiB at most, none of them seen before it was authenticated; size and hash are compared
   * at the end. Throws KEY_NOT_RECIPIENT, BLOB_MISSING, BLOB_DAMAGED, BLOB_TRUNCATED, CHUNK_FORGED, and what storage and key
   * service throw.
   */
  async *read(segment: ValidSegment, signal?: AbortSignal): AsyncGenerator<Buffer, void, void> {
    const { content, name } = segment;
    if (content.data.plainBytes === 0) return;
    const dataKey = await this.#dataKey(content.encryption.recipients);
    const sealed = this.#sealed(segment, signal);
    const found = yield* unseal(sealed, { dataKey, backupId: segment.id, blobName: SEGMENT_DATA });
    for (const field of ["sizeBytes", "sha256", "plainBytes", "chunks"] as const) {
      const expected = content.data[field];
      if (found[field] !== expected) {
        throw damagedBlob(this.#query.vault.name, name, `${field} ${found[field]}`, `${expected}`);
      }
    }
  }

  /** The sealed bytes, also where the segment's own blob went after its manifest was read: a merged one has them then. */
  async *#sealed(segment: ValidSegment, signal: AbortSignal | undefined): AsyncGenerator<Buffer, void, void> {
    const { name, dataOffset, merged, content } = segment;
    const length = content.data.sizeBytes;
    const options = signal ? { signal } : {};
    const { data } = this.#query.vault.storage;
    if (merged !== undefined) {
      yield* this.#ahead.read(name, { offset: dataOffset, length }, merged.endOffset, options);
      return;
    }
    let read = 0;
    try {
      for await (const piece of data.read(name, { offset: dataOffset, length }, options)) {
        read += piece.length;
        yield piece;
      }
    } catch (error: unknown) {
      const moved = (await whereMoved(this.#query, segment, error))?.merged;
      if (moved === undefined) throw error;
      const rest = { offset: moved.dataOffset + read, length: length - read };
      yield* this.#ahead.read(moved.blob, rest, moved.endOffset, options);
    }
  }

  #dataKey(recipients: readonly Recipient[]): Promise<Buffer> {
    const id = recipients.map(({ wrappedKey }) => wrappedKey).join();
    const known = this.#dataKeys.get(id) ?? this.#unwrap(recipients);
    this.#dataKeys.set(id, known);
    return known;
  }

  async #unwrap(recipients: readonly Recipient[]): Promise<Buffer> {
    this.#copies ??= listRewraps(this.#query).then((rewraps) => new WrappedCopies(rewraps));
    return unwrapDataKey((await this.#copies).with(recipients), this.#keys);
  }
}
