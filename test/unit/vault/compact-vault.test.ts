import { describe, expect, it } from "vitest";
import { compactVault, stepsFor, type VaultLog } from "../../../lib/vault/compact-vault.ts";
import { findSuperseded, removeSuperseded } from "../../../lib/vault/merged-originals.ts";
import { logPlace, removalPlace } from "../../../lib/vault/names.ts";
import { listRemovals } from "../../../lib/vault/removal.ts";
import { listSegmentBlobs } from "../../../lib/vault/segment-blobs.ts";
import { readLogContents } from "../../../lib/vault/segment-index.ts";
import type { Vault } from "../../../lib/vault/vault.ts";
import { failingVault } from "../../support/failing-vault.ts";
import { change } from "../../support/memory-log.ts";
import { mergeOptions, segmentQuery } from "../../support/merge.ts";
import { seededRandom } from "../../support/random.ts";
import { copyOf, type RandomLog, viewOf, writeRandomLog } from "../../support/random-log.ts";
import { type MemoryTestVault, memoryVault, SOURCE } from "../../support/vault-fixture.ts";
import { verifyAll, verifyOne } from "../../support/verify.ts";

const LATE = new Date("2026-11-23T00:00:00.000Z");
const { prefix } = logPlace(SOURCE);

async function logOf(vault: Vault): Promise<VaultLog> {
  return { vault, contents: await readLogContents(segmentQuery(vault)) };
}

async function compact(vault: Vault, others: readonly VaultLog[] = []) {
  return compactVault(mergeOptions(vault), stepsFor(await logOf(vault), others, LATE));
}

/** As if a verification had proven every merged blob. */
async function removeOriginals(vault: Vault): Promise<number> {
  const { contents } = await logOf(vault);
  const names = contents.merged.map(({ blob }) => [blob.name.slice(prefix.length), { at: "2026-11-24T00:00:00.000Z" }]);
  const found = findSuperseded(SOURCE, contents, new Map(names as [string, { at: string }][]));
  for (const superseded of found) await removeSuperseded(mergeOptions(vault), superseded);
  return found.length;
}

async function blobsOf(vault: Vault): Promise<string[]> {
  return Array.fromAsync(listSegmentBlobs(segmentQuery(vault)), ({ name }) => name);
}

async function smallLog(seed: number, segments = 12): Promise<{ vault: MemoryTestVault; log: RandomLog }> {
  const vault = memoryVault();
  return { vault, log: await writeRandomLog([vault], seededRandom(seed), segments) };
}

/** Runs `work` on copies of a vault, which die at each storage operation in turn, before or after it took effect. */
async function dyingAtEach(
  vault: MemoryTestVault,
  work: (vault: Vault) => Promise<unknown>,
  check: (left: MemoryTestVault) => Promise<void>,
): Promise<number> {
  for (const tookEffect of [false, true]) {
    for (let failAt = 1; ; failAt++) {
      const left = copyOf(vault, memoryVault());
      const died = await work(failingVault(left, { failAt, tookEffect })).then(
        () => false,
        () => true,
      );
      await check(left);
      if (!died) {
        if (tookEffect) return failAt;
        break;
      }
    }
  }
  return 0;
}

describe("compaction of a vault", () => {
  it.each(Array.from({ length: 12 }, (_, seed) => seed))(
    "changes nothing that readers see, before, between and after its steps (seed %i)",
    async (seed) => {
      const vault = memoryVault();
      const { fulls } = await writeRandomLog([vault], seededRandom(seed));
      const before = await viewOf(vault, fulls);
      const report = await compact(vault);
      expect(report.merged.length).toBeGreaterThan(0);
      expect(await viewOf(vault, fulls)).toEqual(before);
      expect((await compact(vault)).merged).toEqual([]);
      const all = await blobsOf(vault);
      await removeOriginals(vault);
      expect((await blobsOf(vault)).length).toBeLessThan(all.length - report.merged.length);
      expect(await viewOf(vault, fulls)).toEqual(before);
      expect((await compact(vault)).merged).toEqual([]);
    },
    60_000,
  );

  it("finds every segment whose data is damaged, leaves it alone, and merges the others around it", async () => {
    const { vault, log } = await smallLog(3);
    const intact = (await logOf(vault)).contents.alone.map(({ id }) => id);
    const victim = intact[3] ?? "";
    change(vault, logPlace(SOURCE).nameOf(victim), -1);
    const before = await viewOf(vault, log.fulls);
    const report = await compact(vault);
    expect(report.damaged.map(({ id, error }) => [id, error.code])).toContainEqual([victim, "BLOB_DAMAGED"]);
    expect(report.merged.flatMap(({ parts }) => parts.map(({ id }) => id))).not.toContain(victim);
    await removeOriginals(vault);
    expect(await blobsOf(vault)).toContain(logPlace(SOURCE).nameOf(victim));
    expect(await viewOf(vault, log.fulls)).toEqual(before);
  });

  it("loses nothing and doubles nothing wherever a merge dies, and the next run goes on", async () => {
    const { vault, log } = await smallLog(6, 8);
    const before = await viewOf(vault, log.fulls);
    const whole = copyOf(vault, memoryVault());
    const expected = (await compact(whole)).merged.map(({ parts }) => parts.map(({ id }) => id));
    const operations = await dyingAtEach(vault, compact, async (left) => {
      expect(await viewOf(left, log.fulls)).toEqual(before);
      await compact(left);
      const { merged } = (await logOf(left)).contents;
      expect(merged.map((blob) => blob.state === "valid" && blob.parts.map(({ id }) => id))).toEqual(expected);
      expect(await viewOf(left, log.fulls)).toEqual(before);
    });
    expect(operations).toBeGreaterThan(20);
  }, 120_000);

  it("loses nothing wherever the removal dies, which was announced each time, and the next run goes on", async () => {
    const { vault, log } = await smallLog(11, 7);
    await compact(vault);
    const before = await viewOf(vault, log.fulls);
    const names = await blobsOf(vault);
    const whole = copyOf(vault, memoryVault());
    await removeOriginals(whole);
    const expected = await blobsOf(whole);
    await dyingAtEach(vault, removeOriginals, async (left) => {
      expect(await viewOf(left, log.fulls)).toEqual(before);
      const there = new Set(await blobsOf(left));
      const gone = names.filter((name) => !there.has(name)).map((name) => name.slice(prefix.length));
      const announced = await listRemovals(segmentQuery(left));
      for (const id of gone) expect(announced.get(id)).toMatchObject({ reason: "compaction", kind: "segment" });
      await removeOriginals(left);
      expect(await blobsOf(left)).toEqual(expected);
      expect(await viewOf(left, log.fulls)).toEqual(before);
    });
  }, 120_000);

  it("makes the same blobs in a second vault of its own segments, and reads nothing else from the first", async () => {
    const [first, second] = [memoryVault("primary"), memoryVault("offsite")];
    const { fulls } = await writeRandomLog([first], seededRandom(11));
    copyOf(first, second);
    const before = await viewOf(second, fulls);
    await compact(first);
    const log = await logOf(first);
    const read: [name: string, length: number][] = [];
    const { data } = first.storage;
    const watched: Vault = {
      ...first,
      storage: {
        ...first.storage,
        data: {
          ...data,
          read: (name, range, options) => {
            read.push([name, range?.length ?? Infinity]);
            return data.read(name, range, options);
          },
        },
      },
    };
    const report = await compact(second, [{ ...log, vault: watched }]);
    expect(report.merged).toHaveLength(log.contents.merged.length);
    for (const { blob, headBytes } of report.merged) {
      expect(second.storage.blobs.get(blob.name)?.bytes).toEqual(first.storage.blobs.get(blob.name)?.bytes);
      expect(read).toContainEqual([blob.name, headBytes - 8]);
    }
    expect(read).toHaveLength(report.merged.length);
    expect(await viewOf(second, fulls)).toEqual(before);
  });

  it("merges on its own what the other vault merged with a segment that this one lacks", async () => {
    const [first, second] = [memoryVault("primary"), memoryVault("offsite")];
    const { vault, log } = await smallLog(5);
    copyOf(vault, first);
    copyOf(vault, second);
    const [group] = (await compact(first)).merged;
    const lacking = group?.parts[1]?.id ?? "";
    second.storage.blobs.delete(logPlace(SOURCE).nameOf(lacking));
    const before = await viewOf(second, log.fulls);
    const report = await compact(second, [await logOf(first)]);
    expect(report.merged.flatMap(({ parts }) => parts.map(({ id }) => id))).not.toContain(lacking);
    expect(await viewOf(second, log.fulls)).toEqual(before);
  });
});

describe("the own blobs of merged segments", () => {
  it("go only when a verification after the merge has proven the merged blob", async () => {
    const { vault } = await smallLog(5);
    await compact(vault);
    const { contents } = await logOf(vault);
    const proofs = (at: string) =>
      new Map(contents.merged.map(({ blob }) => [blob.name.slice(prefix.length), { at }] as const));
    const mergedAt = contents.merged.map((blob) => (blob.state === "valid" ? blob.content.mergedAt : ""))[0] ?? "";
    const isProven = (known: ReadonlyMap<string, { at: string }>) =>
      findSuperseded(SOURCE, contents, known).map((found) => found.isProven)[0];
    expect(isProven(new Map())).toBe(false);
    expect(isProven(proofs(mergedAt))).toBe(false);
    expect(isProven(proofs("2026-11-24T00:00:00.000Z"))).toBe(true);
    const [waiting] = findSuperseded(SOURCE, contents, new Map());
    if (waiting === undefined) throw new Error("nothing is superseded");
    await expect(removeSuperseded(mergeOptions(vault), waiting)).rejects.toMatchObject({ code: "INVARIANT" });
  });

  it("stay when the merged blob is damaged after it was proven", async () => {
    const { vault, log } = await smallLog(5);
    await compact(vault);
    const before = await viewOf(vault, log.fulls);
    const names = await blobsOf(vault);
    const { contents } = await logOf(vault);
    for (const { blob } of contents.merged) change(vault, blob.name, -1);
    await expect(removeOriginals(vault)).rejects.toMatchObject({ code: "BLOB_DAMAGED" });
    expect(await blobsOf(vault)).toEqual(names);
    expect(await viewOf(vault, log.fulls)).toEqual(before);
  });

  it("leave no gap for a verification that a budget ends anywhere, also in a vault that got the merged blobs as copies", async () => {
    const vault = memoryVault();
    await writeRandomLog([vault], () => 0.5, 20);
    await compact(vault);
    await removeOriginals(vault);
    for (const name of vault.storage.blobs.keys()) if (name.includes("/removals/")) vault.storage.blobs.delete(name);
    const sizes = Array.from(vault.storage.blobs.values(), ({ bytes }) => bytes.length);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    for (let maxBytes = 0; maxBytes <= total; maxBytes += 8192) {
      expect(await verifyOne(vault, { maxBytes })).toMatchObject({ failed: 0, problems: [] });
    }
  });

  it("are not missed in a vault whose log is merged while the other's is not", async () => {
    const vaults = [memoryVault("primary"), memoryVault("offsite")] as const;
    await writeRandomLog(vaults, () => 0.5, 20);
    await compact(vaults[0]);
    for (const step of [() => removeOriginals(vaults[0]), () => compact(vaults[1]), () => removeOriginals(vaults[1])]) {
      await step();
      const { report, bad } = await verifyAll(vaults);
      expect([report.failed, report.notLooked, report.problems, report.behind, bad]).toEqual([0, 0, [], [], []]);
    }
  });

  it("leave no gap for a verification, and their merged blob is counted once", async () => {
    const vault = memoryVault();
    await writeRandomLog([vault], () => 0.5, 20);
    const before = await verifyOne(vault);
    expect(before).toMatchObject({ proven: 20, failed: 0, problems: [] });
    await compact(vault);
    await removeOriginals(vault);
    const after = await verifyOne(vault);
    // What announced that they go is proven, too.
    const removals = await Array.fromAsync(vault.storage.data.list(removalPlace(SOURCE).prefix));
    expect(after).toMatchObject({
      proven: (await blobsOf(vault)).length + removals.length,
      failed: 0,
      notLooked: 0,
      problems: [],
    });
    expect(after.proven).toBeLessThan(10);
  });
});
