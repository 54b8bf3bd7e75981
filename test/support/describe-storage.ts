import { createHash } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { copyBetween } from "../../lib/vault/storage/copy-between.ts";
import type { StateStore, Storage, VaultStorage } from "../../lib/vault/storage/storage.ts";
import { countUp, listNames, pattern, piecesOf, readAll, sha256Of } from "./storage-data.ts";

export interface TestStore extends AsyncDisposable {
  /** Prepared, empty, and nobody else's. */
  vault: VaultStorage;
  /** The same storage, opened once more as another process would. */
  openAgain(): Promise<VaultStorage>;
  /** One more of its kind, prepared and empty: another account, another folder. */
  openElsewhere(): Promise<VaultStorage>;
}

interface Expectations {
  /** What our own process may hold while a blob of 160 MiB passes. */
  memoryBytes: number;
}

const MIB = 1024 * 1024;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What every storage must do. Each case gets a store of its own. */
export function describeStorage(title: string, makeStore: () => Promise<TestStore>, expectations: Expectations): void {
  describe(title, () => {
    let store: TestStore;
    let data: Storage;
    let state: StateStore;

    beforeEach(async () => {
      store = await makeStore();
      ({ data, state } = store.vault);
    });
    afterEach(() => store[Symbol.asyncDispose]());

    it("tells the time of its own clock, which new blobs have", async () => {
      const before = await store.vault.now();
      await data.create("timed", Buffer.from("text"));
      const { createdAt } = (await data.stat("timed")) ?? {};
      const after = await store.vault.now();
      // Services round to a second.
      expect(createdAt?.getTime()).toBeGreaterThanOrEqual(before.getTime() - 1000);
      expect(createdAt?.getTime()).toBeLessThanOrEqual(after.getTime() + 1000);
    });

    describe("creating a blob", () => {
      it("confirms the size and SHA-256 of what was streamed", async () => {
        const bytes = pattern(300_000);
        const created = await data.create("shop/full/1/data", piecesOf(bytes, 70_001));
        expect(created).toEqual({ sizeBytes: 300_000, sha256: sha256Of(bytes) });
        expect(await readAll(data, "shop/full/1/data")).toEqual(bytes);
      });

      it("takes a buffer as it is", async () => {
        expect(await data.create("note", Buffer.from("text"))).toEqual({ sizeBytes: 4, sha256: sha256Of("text") });
        expect((await readAll(data, "note")).toString()).toBe("text");
      });

      it("keeps an empty blob", async () => {
        expect(await data.create("empty", piecesOf(Buffer.alloc(0), 1))).toEqual({
          sizeBytes: 0,
          sha256: sha256Of(""),
        });
        expect(await data.stat("empty")).toMatchObject({ name: "empty", sizeBytes: 0 });
        expect(await readAll(data, "empty")).toEqual(Buffer.alloc(0));
      });

      it("uses the hash of a caller who has it already", async () => {
        const created = await data.create("hashed", Buffer.from("x"), { sha256: () => "by the caller" });
        expect(created.sha256).toBe("by the caller");
      });

      it.each([10, 20 * MIB])("refuses a name that exists, and keeps its bytes, for %d bytes", async (size) => {
        await data.create("once", Buffer.from("first"));
        await expect(data.create("once", piecesOf(pattern(size), MIB))).rejects.toMatchObject({ code: "BLOB_EXISTS" });
        expect((await readAll(data, "once")).toString()).toBe("first");
      });

      it.each([1000, 20 * MIB])("lets one of several writers of %d bytes win, whole", async (size) => {
        const other = (await store.openAgain()).data;
        const candidates = [1, 2, 3].map((seed) => pattern(size, seed));
        const results = await Promise.allSettled(
          candidates.map((bytes, index) => (index === 1 ? other : data).create("race", piecesOf(bytes, 3 * MIB))),
        );
        const winner = results.findIndex((result) => result.status === "fulfilled");
        const losers = results.filter((result) => result.status === "rejected").map((result) => result.reason);
        expect(losers).toMatchObject([{ code: "BLOB_EXISTS" }, { code: "BLOB_EXISTS" }]);
        expect(sha256Of(await readAll(data, "race"))).toBe(sha256Of(candidates[winner] ?? ""));
      });

      it("shows nothing before the last byte is in", async () => {
        let seen: unknown;
        const source = async function* () {
          yield pattern(10 * MIB);
          seen = [await data.stat("late"), await listNames(data, "")];
          yield pattern(10 * MIB);
        };
        await data.create("late", source());
        expect(seen).toEqual([undefined, []]);
        expect(await data.stat("late")).toMatchObject({ sizeBytes: 20 * MIB });
      });

      it("leaves nothing when the source throws, and throws the same", async () => {
        const failure = new RangeError("row reader failed");
        const source = async function* () {
          yield pattern(20 * MIB);
          throw failure;
        };
        await expect(data.create("broken", source())).rejects.toBe(failure);
        expect(await data.stat("broken")).toBeUndefined();
        expect(await listNames(data, "")).toEqual([]);
        await data.create("broken", Buffer.from("second try"));
        expect((await readAll(data, "broken")).toString()).toBe("second try");
      });

      it("leaves nothing when aborted, even while the source hangs", async () => {
        const abort = new AbortController();
        const reason = new Error("lease lost");
        const source = async function* () {
          yield pattern(20 * MIB);
          setImmediate(() => abort.abort(reason));
          await new Promise(() => undefined);
        };
        await expect(data.create("aborted", source(), { signal: abort.signal })).rejects.toBe(reason);
        expect(await data.stat("aborted")).toBeUndefined();
        expect(await listNames(data, "")).toEqual([]);
      });

      it("does nothing under a signal that has fired before", async () => {
        const signal = AbortSignal.abort(new Error("too late"));
        await expect(data.create("late", Buffer.from("x"), { signal })).rejects.toThrow("too late");
        expect(await data.stat("late")).toBeUndefined();
      });

      it("carries a blob of 160 MiB both ways with bounded memory", async () => {
        const pieces = [1, 2, 3, 5, 7].map((seed) => pattern(MIB + seed, seed));
        const expected = createHash("sha256");
        const peak = new MemoryPeak();
        const source = async function* () {
          for (let index = 0; index < 160; index++) {
            const piece = pieces[index % pieces.length] ?? Buffer.alloc(0);
            expected.update(piece);
            peak.look();
            yield piece;
          }
        };
        const created = await data.create("big", source());
        const found = createHash("sha256");
        for await (const piece of data.read("big")) {
          found.update(piece);
          peak.look();
        }
        const sha256 = expected.digest("hex");
        expect([created.sha256, found.digest("hex")]).toEqual([sha256, sha256]);
        expect(peak.bytes).toBeLessThan(expectations.memoryBytes);
      });
    });

    describe("copying from another one of its kind", () => {
      let elsewhere: Storage;
      beforeEach(async () => {
        elsewhere = (await store.openElsewhere()).data;
      });
      const copy = (watch: (bytes: AsyncIterable<Buffer>) => AsyncIterable<Uint8Array> = (bytes) => bytes) =>
        copyBetween({ from: elsewhere, to: data, name: "shop/log/1", watch });

      it.each([0, 10, 20 * MIB + 7])("gives the same %d bytes, and confirms their size and SHA-256", async (size) => {
        const bytes = pattern(size);
        await elsewhere.create("shop/log/1", piecesOf(bytes, MIB));
        expect(await copy()).toEqual({ sizeBytes: size, sha256: sha256Of(bytes) });
        expect(sha256Of(await readAll(data, "shop/log/1"))).toBe(sha256Of(bytes));
      });

      it("overwrites nothing, and says when there is nothing to copy", async () => {
        await expect(copy()).rejects.toMatchObject({ code: "BLOB_MISSING" });
        expect(await listNames(data, "")).toEqual([]);
        await elsewhere.create("shop/log/1", piecesOf(pattern(20 * MIB), MIB));
        await data.create("shop/log/1", Buffer.from("first"));
        await expect(copy()).rejects.toMatchObject({ code: "BLOB_EXISTS" });
        expect((await readAll(data, "shop/log/1")).toString()).toBe("first");
      });

      it("leaves nothing where somebody objects to the bytes after the last one", async () => {
        await elsewhere.create("shop/log/1", piecesOf(pattern(20 * MIB), MIB));
        const objection = new Error("not what was signed");
        const watch = async function* (bytes: AsyncIterable<Buffer>) {
          yield* bytes;
          throw objection;
        };
        await expect(copy(watch)).rejects.toBe(objection);
        expect(await listNames(data, "")).toEqual([]);
      });
    });

    describe("reading", () => {
      const bytes = pattern(20 * MIB);
      const cases: [offset: number, length: number][] = [
        [0, 1],
        [17, 1000],
        [8 * MIB - 3, 6],
        [5, 18 * MIB],
        [20 * MIB - 10, 10],
        [20 * MIB - 10, 5 * MIB],
        [20 * MIB, 10],
        [30 * MIB, 10],
        [100, 0],
      ];

      it("gives exactly the bytes of a range, and those that exist of one past the end", async () => {
        await data.create("ranges", bytes);
        for (const [offset, length] of cases) {
          const found = await readAll(data, "ranges", { offset, length });
          expect(found.equals(bytes.subarray(offset, offset + length)), `${length} bytes from ${offset}`).toBe(true);
        }
      });

      it("says when there is no such blob", async () => {
        await expect(readAll(data, "shop/nothing")).rejects.toMatchObject({ code: "BLOB_MISSING" });
        await expect(readAll(data, "nothing", { offset: 0, length: 0 })).rejects.toMatchObject({
          code: "BLOB_MISSING",
        });
        expect(await data.stat("shop/nothing")).toBeUndefined();
      });

      it("can be stopped by the reader and by a signal", async () => {
        await data.create("long", bytes);
        for await (const piece of data.read("long")) {
          expect(piece.length).toBeGreaterThan(0);
          break;
        }
        const abort = new AbortController();
        const reading = async () => {
          for await (const piece of data.read("long", { offset: 0, length: 19 * MIB }, { signal: abort.signal })) {
            abort.abort(new Error(`stopped after ${Math.min(piece.length, 1)}`));
          }
        };
        const outcome = reading();
        await expect(outcome).rejects.toThrow("stopped after 1");
      });
    });

    describe("looking and removing", () => {
      it("tells size and time of a blob", async () => {
        await data.create("shop/a", Buffer.from("abc"));
        const found = await data.stat("shop/a");
        expect(found).toMatchObject({ name: "shop/a", sizeBytes: 3 });
        expect(Math.abs(Date.now() - Number(found?.createdAt))).toBeLessThan(120_000);
        expect(await data.stat("shop")).toBeUndefined();
      });

      it("lists in the order of names, whatever separates their parts", async () => {
        const names = ["a-b/x", "a.b/x", "a/b/c", "a/b-c", "a/x", "a0", "b", "B", "a-", "a/b/a", "_", "~", "a/b.c"];
        for (const name of names) await data.create(name, Buffer.from(name));
        const found = await Array.fromAsync(data.list(""));
        expect(found.map(({ name }) => name)).toEqual(names.toSorted());
        expect(found.map(({ sizeBytes }) => sizeBytes)).toEqual(names.toSorted().map((name) => name.length));
      });

      it("lists by a prefix that may end within a part, from the name after the last one seen", async () => {
        const names = ["s/1/a", "s/1/b", "s/10/a", "s/2/a", "t/1/a"];
        for (const name of names) await data.create(name, Buffer.from(""));
        expect(await listNames(data, "s/1")).toEqual(["s/1/a", "s/1/b", "s/10/a"]);
        expect(await listNames(data, "s/1/")).toEqual(["s/1/a", "s/1/b"]);
        expect(await listNames(data, "s/", "s/1/a")).toEqual(["s/1/b", "s/10/a", "s/2/a"]);
        expect(await listNames(data, "s/", "s/1/")).toEqual(["s/1/a", "s/1/b", "s/10/a", "s/2/a"]);
        expect(await listNames(data, "", "s/1~")).toEqual(["s/10/a", "s/2/a", "t/1/a"].filter((name) => name > "s/1~"));
        expect(await listNames(data, "s/", "s/2/a")).toEqual([]);
        expect(await listNames(data, "nothing/")).toEqual([]);
        expect(await listNames(data, "../")).toEqual([]);
      });

      it("removes a blob for good, and takes its name again", async () => {
        await data.create("a/b/c", Buffer.from("1"));
        await data.create("a/d", Buffer.from("1"));
        await data.remove("a/b/c");
        expect(await data.stat("a/b/c")).toBeUndefined();
        expect(await listNames(data, "")).toEqual(["a/d"]);
        await data.create("a/b/c", Buffer.from("2"));
        expect((await readAll(data, "a/b/c")).toString()).toBe("2");
      });

      it("finds nothing wrong in removing what is not there", async () => {
        await expect(data.remove("a/b/nothing")).resolves.toBeUndefined();
      });
    });

    describe("names", () => {
      it.each(["caf%C3%A9/%2F%2E%2E/100%25", "a~b_c.d-e", ".hidden", "x".repeat(255), `${"x/".repeat(253)}y`])(
        "keeps a blob under the odd name %s",
        async (name) => {
          await data.create(name, Buffer.from(name));
          expect((await readAll(data, name)).toString()).toBe(name);
          expect(await listNames(data, "")).toEqual([name]);
        },
      );

      it.each([
        "../outside",
        "a/../../outside",
        "/etc/outside",
        "a//b",
        "a/",
        "",
        ".",
        "a\0b",
        "a\\..\\b",
        "C:x",
        "a b",
      ])("refuses the name %j everywhere", async (name) => {
        const refusal = { code: "STORAGE_PATH_INVALID" };
        await expect(data.create(name, Buffer.from("x"))).rejects.toMatchObject(refusal);
        await expect(data.stat(name)).rejects.toMatchObject(refusal);
        await expect(readAll(data, name)).rejects.toMatchObject(refusal);
        await expect(data.remove(name)).rejects.toMatchObject(refusal);
        await expect(state.put(name, Buffer.from("x"), "absent")).rejects.toMatchObject(refusal);
        await expect(state.get(name)).rejects.toMatchObject(refusal);
      });
    });

    describe("state", () => {
      it("puts a record where none is, and replaces the one it read", async () => {
        expect(await state.get("leases/shop")).toBeUndefined();
        const first = await state.put("leases/shop", Buffer.from("one"), "absent");
        expect(await state.get("leases/shop")).toEqual({ value: Buffer.from("one"), etag: first });
        const second = await state.put("leases/shop", Buffer.from("two"), { etag: first });
        expect(second).not.toBe(first);
        expect(await state.get("leases/shop")).toEqual({ value: Buffer.from("two"), etag: second });
      });

      it("refuses a write that expects another record", async () => {
        const conflict = { code: "STATE_CONFLICT", retryable: true };
        const first = await state.put("head", Buffer.from("1"), "absent");
        await state.put("head", Buffer.from("2"), { etag: first });
        await expect(state.put("head", Buffer.from("3"), "absent")).rejects.toMatchObject(conflict);
        await expect(state.put("head", Buffer.from("3"), { etag: first })).rejects.toMatchObject(conflict);
        await expect(state.put("nothing", Buffer.from("3"), { etag: first })).rejects.toMatchObject(conflict);
        await expect(state.remove("head", first)).rejects.toMatchObject(conflict);
        expect((await state.get("head"))?.value.toString()).toBe("2");
      });

      it("gives a record that has the old value again an etag of its own", async () => {
        const first = await state.put("aba", Buffer.from("A"), "absent");
        const second = await state.put("aba", Buffer.from("B"), { etag: first });
        const third = await state.put("aba", Buffer.from("A"), { etag: second });
        expect(new Set([first, second, third]).size).toBe(3);
      });

      it("removes a record, whole or never written, and lets the key be taken again", async () => {
        const first = await state.put("lease", Buffer.from("x"), "absent");
        await state.remove("lease", first);
        expect(await state.get("lease")).toBeUndefined();
        expect(await Array.fromAsync(state.list(""))).toEqual([]);
        await state.remove("lease", first);
        await state.remove("never");
        await expect(state.put("lease", Buffer.from("y"), { etag: first })).rejects.toMatchObject({
          code: "STATE_CONFLICT",
        });
        await state.put("lease", Buffer.from("y"), "absent");
        await state.remove("lease");
        expect(await state.get("lease")).toBeUndefined();
      });

      it("keeps any bytes under keys that are parts of each other", async () => {
        const values: [string, Buffer][] = [
          ["a", pattern(100_000)],
          ["a/b", Buffer.from([0, 10, 13, 255])],
          ["a/b%2Fc", Buffer.alloc(0)],
        ];
        for (const [key, value] of values) await state.put(key, value, "absent");
        for (const [key, value] of values) expect((await state.get(key))?.value).toEqual(value);
        expect(await Array.fromAsync(state.list("a/"))).toEqual(["a/b", "a/b%2Fc"]);
        expect(await listNames(data, "")).toEqual([]);
      });

      it("lets one of many take a free key", async () => {
        const others = (await store.openAgain()).state;
        const takers = Array.from({ length: 12 }, (_, index) => (index % 2 === 0 ? state : others));
        const results = await Promise.allSettled(
          takers.map((taker, index) => taker.put("lease", Buffer.from(`worker ${index}`), "absent")),
        );
        const winners = results.flatMap((result, index) => (result.status === "fulfilled" ? [`worker ${index}`] : []));
        expect(winners).toHaveLength(1);
        expect((await state.get("lease"))?.value.toString()).toBe(winners[0]);
      });

      it("loses no update of many writers", async () => {
        const others = (await store.openAgain()).state;
        await Promise.all(
          [state, others, state, others, state, others].map((writer) => countUp(writer, "counter", 10)),
        );
        expect((await state.get("counter"))?.value.toString()).toBe("60");
      });
    });

    it("can be prepared again without harm", async () => {
      await data.create("a/b", Buffer.from("kept"));
      await store.vault.prepare();
      expect((await readAll(data, "a/b")).toString()).toBe("kept");
    });
  });
}

function heldBytes(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

/** What was held beyond the start, at most, whenever somebody looked. */
class MemoryPeak {
  bytes = 0;
  readonly #start = heldBytes();
  #looks = 0;

  look(): void {
    if (this.#looks++ % 16 === 0) this.bytes = Math.max(this.bytes, heldBytes() - this.#start);
  }
}
