import { describe, expect, it } from "vitest";
import { AppError } from "../../../../lib/core/errors.ts";
import { createInAll } from "../../../../lib/vault/storage/create-in-all.ts";
import { openMemoryVault } from "../../../../lib/vault/storage/memory.ts";
import type { Storage } from "../../../../lib/vault/storage/storage.ts";
import { pattern, piecesOf, readAll, sha256Of } from "../../../support/storage-data.ts";

const bytes = pattern(100_000);

describe("createInAll", () => {
  it("writes the same blob to every storage, hashed once", async () => {
    const storages = [storageNamed("primary"), storageNamed("offsite"), storageNamed("third")];
    const outcomes = await createInAll(storages, "a/b", piecesOf(bytes, 999));
    const created = { sizeBytes: bytes.length, sha256: sha256Of(bytes) };
    expect(outcomes).toEqual(["primary", "offsite", "third"].map((label) => ({ label, created })));
    for (const storage of storages) expect(await readAll(storage, "a/b")).toEqual(bytes);
  });

  it("writes an empty blob", async () => {
    const outcomes = await createInAll([storageNamed("primary")], "empty", piecesOf(Buffer.alloc(0), 1));
    expect(outcomes).toEqual([{ label: "primary", created: { sizeBytes: 0, sha256: sha256Of("") } }]);
  });

  it("goes on with the others when one refuses at once, or fails in the middle", async () => {
    const full = new AppError("STORAGE_FULL", "vault b: no room");
    const taken = storageNamed("a");
    await taken.create("a/b", Buffer.from("older"));
    const healthy = storageNamed("c");
    const outcomes = await createInAll([taken, failingAfter(3, full, "b"), healthy], "a/b", piecesOf(bytes, 999));
    expect(outcomes).toMatchObject([
      { label: "a", error: { code: "BLOB_EXISTS" } },
      { label: "b", error: full },
      { label: "c", created: { sizeBytes: bytes.length, sha256: sha256Of(bytes) } },
    ]);
    expect(await readAll(healthy, "a/b")).toEqual(bytes);
  });

  it("stops reading the source when no storage is left", async () => {
    const failure = new AppError("STORAGE_UNAVAILABLE", "gone");
    let pulled = 0;
    let closed = false;
    const source = async function* () {
      try {
        for (; pulled < 1000; pulled++) yield bytes;
      } finally {
        closed = true;
      }
    };
    const outcomes = await createInAll([failingAfter(2, failure, "a"), failingAfter(5, failure, "b")], "x", source());
    expect(outcomes).toEqual([
      { label: "a", error: failure },
      { label: "b", error: failure },
    ]);
    expect(pulled).toBeLessThan(10);
    expect(closed).toBe(true);
  });

  it("rejects with what the source threw, and leaves no blob", async () => {
    const failure = new RangeError("row reader failed");
    const storages = [storageNamed("a"), storageNamed("b")];
    const source = async function* () {
      yield bytes;
      throw failure;
    };
    await expect(createInAll(storages, "x", source())).rejects.toBe(failure);
    for (const storage of storages) expect(await storage.stat("x")).toBeUndefined();
  });

  it("rejects with the signal's reason, even while the source hangs", async () => {
    const abort = new AbortController();
    const storage = storageNamed("a");
    const source = async function* () {
      yield bytes;
      setImmediate(() => abort.abort(new Error("lease lost")));
      await new Promise(() => undefined);
    };
    await expect(createInAll([storage], "x", source(), { signal: abort.signal })).rejects.toThrow("lease lost");
    expect(await storage.stat("x")).toBeUndefined();
  });

  it("takes no more from the source than the slowest storage has taken", async () => {
    let produced = 0;
    let consumed = 0;
    let ahead = 0;
    const source = async function* () {
      for (; produced < 50; produced++) {
        ahead = Math.max(ahead, produced - consumed);
        yield bytes;
      }
    };
    const slow: Storage = {
      ...storageNamed("slow"),
      async create(_name, data) {
        for await (const chunk of data as AsyncIterable<Uint8Array>) {
          await new Promise((resolve) => setImmediate(resolve));
          consumed += chunk.length > 0 ? 1 : 0;
        }
        return { sizeBytes: consumed, sha256: "" };
      },
    };
    await createInAll([storageNamed("fast"), slow], "x", source());
    expect(consumed).toBe(50);
    expect(ahead).toBeLessThanOrEqual(2);
  });
});

function storageNamed(label: string): Storage {
  return openMemoryVault(label).data;
}

/** A storage that takes some chunks and then fails. */
function failingAfter(chunks: number, error: Error, label: string): Storage {
  return {
    ...storageNamed(label),
    async create(_name, data) {
      let taken = 0;
      for await (const chunk of data as AsyncIterable<Uint8Array>)
        if (chunk.length > 0 && ++taken === chunks) throw error;
      throw new RangeError("the stream ended before the failure");
    },
  };
}
