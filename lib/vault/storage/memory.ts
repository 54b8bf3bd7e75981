import { randomUUID } from "node:crypto";
import { assertBlobName, assertStateKey } from "./blob-name.ts";
import { chunksOf, hasherFor } from "./chunks.ts";
import { blobExists, blobMissing, stateConflict } from "./outcomes.ts";
import type { BlobStat, StateRecord, StateStore, Storage, VaultStorage } from "./storage.ts";

const PIECE_BYTES = 1024 * 1024;

interface MemoryBlob {
  bytes: Buffer;
  createdAt: Date;
}

/** A vault that lives as long as the process: for tests, which may look into and damage `blobs`. */
export function openMemoryVault(label: string, now: () => Date = () => new Date()): MemoryVault {
  const blobs = new Map<string, MemoryBlob>();
  const records = new Map<string, StateRecord>();
  return {
    data: memoryStorage(label, blobs, now),
    state: memoryState(label, records),
    blobs,
    now: async () => now(),
    prepare: async () => undefined,
  };
}

export interface MemoryVault extends VaultStorage {
  readonly blobs: Map<string, MemoryBlob>;
}

function memoryStorage(label: string, blobs: Map<string, MemoryBlob>, now: () => Date): Storage {
  const statOf = (name: string, blob: MemoryBlob): BlobStat => ({
    name,
    sizeBytes: blob.bytes.length,
    createdAt: blob.createdAt,
  });
  return {
    label,
    async create(name, data, options = {}) {
      assertBlobName(name);
      const hasher = hasherFor(options);
      const chunks: Uint8Array[] = [];
      for await (const chunk of chunksOf(data, options.signal)) {
        chunks.push(chunk);
        hasher.update(chunk);
      }
      const bytes = Buffer.concat(chunks);
      if (blobs.has(name)) throw blobExists(label, name);
      blobs.set(name, { bytes, createdAt: now() });
      return { sizeBytes: bytes.length, sha256: hasher.digest() };
    },
    async stat(name) {
      assertBlobName(name);
      const blob = blobs.get(name);
      return blob && statOf(name, blob);
    },
    async *read(name, range, options = {}) {
      assertBlobName(name);
      const blob = blobs.get(name);
      if (blob === undefined) throw blobMissing(label, name);
      const bytes = range ? blob.bytes.subarray(range.offset, range.offset + range.length) : blob.bytes;
      for (let offset = 0; offset < bytes.length; offset += PIECE_BYTES) {
        options.signal?.throwIfAborted();
        yield Buffer.from(bytes.subarray(offset, offset + PIECE_BYTES));
      }
    },
    async *list(prefix, options = {}) {
      const names = [...blobs.keys()].filter((name) => name.startsWith(prefix) && name > (options.after ?? ""));
      for (const name of names.toSorted()) {
        options.signal?.throwIfAborted();
        const blob = blobs.get(name);
        if (blob) yield statOf(name, blob);
      }
    },
    async remove(name) {
      assertBlobName(name);
      blobs.delete(name);
    },
  };
}

function memoryState(label: string, records: Map<string, StateRecord>): StateStore {
  return {
    async get(key) {
      assertStateKey(key);
      const record = records.get(key);
      return record && { value: Buffer.from(record.value), etag: record.etag };
    },
    async put(key, value, condition) {
      assertStateKey(key);
      const expected = condition === "absent" ? undefined : condition.etag;
      if (records.get(key)?.etag !== expected) throw stateConflict(label, key);
      const etag = randomUUID();
      records.set(key, { value: Buffer.from(value), etag });
      return etag;
    },
    async remove(key, etag) {
      assertStateKey(key);
      const record = records.get(key);
      if (record && etag !== undefined && record.etag !== etag) throw stateConflict(label, key);
      records.delete(key);
    },
    async *list(prefix) {
      yield* [...records.keys()].filter((key) => key.startsWith(prefix)).toSorted();
    },
  };
}
