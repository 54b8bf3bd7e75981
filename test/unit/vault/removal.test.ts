import { describe, expect, it } from "vitest";
import { listBackups, listOrphans } from "../../../lib/vault/catalogue.ts";
import { checkChain } from "../../../lib/vault/chain.ts";
import { dataPrefix, fullPlace, logPlace, removalPlace } from "../../../lib/vault/names.ts";
import { listRemovalRecords, listRemovals, removeRecorded, type RemovedItem } from "../../../lib/vault/removal.ts";
import type { Vault } from "../../../lib/vault/vault.ts";
import { announce } from "../../support/announce.ts";
import { failingVault } from "../../support/failing-vault.ts";
import { type MemoryTestVault, memoryVault, SOURCE, testKeys, writeBackup } from "../../support/vault-fixture.ts";
import { verifyOne } from "../../support/verify.ts";

const { trusted } = testKeys();

function queryOf(vault: Vault) {
  return { vault, source: SOURCE, trusted };
}

function day(n: number) {
  return { clock: () => new Date(Date.UTC(2026, 10, n, 3)) };
}

async function vaultWithBackups(days: number[]): Promise<{ vault: MemoryTestVault; items: RemovedItem[] }> {
  const vault = memoryVault();
  for (const n of days) await writeBackup([vault], day(n));
  const entries = await listBackups(queryOf(vault));
  const items = entries.map(({ id, sizeBytes, sha256 }): RemovedItem => {
    return { kind: "full", id, sizeBytes, ...(sha256 !== undefined && { sha256 }) };
  });
  return { vault, items };
}

describe("removal records", () => {
  it("announce what then goes, and a verification misses nothing", async () => {
    const { vault, items } = await vaultWithBackups([1, 2, 3]);
    const record = await announce(vault, items.slice(0, 2));
    expect(await listBackups(queryOf(vault))).toHaveLength(3);
    await removeRecorded(vault, record);
    expect((await listBackups(queryOf(vault))).map(({ id }) => id)).toEqual([items[2]?.id]);
    expect(await listOrphans(vault, SOURCE)).toEqual([]);
    expect((await verifyOne(vault)).problems).toEqual([]);
  });

  it("leave the data of a backup only after its manifest is gone, wherever the process dies", async () => {
    for (let failAt = 1; ; failAt++) {
      const { vault, items } = await vaultWithBackups([1]);
      const record = await announce(vault, items);
      const died = await removeRecorded(failingVault(vault, { failAt }), record).then(
        () => false,
        () => true,
      );
      const hasManifest = (await listBackups(queryOf(vault))).length > 0;
      const dataBlobs = [...vault.storage.blobs.keys()].filter((name) => name.startsWith(dataPrefix(SOURCE)));
      if (hasManifest) expect(dataBlobs).toHaveLength(3);
      await removeRecorded(vault, record);
      expect([...vault.storage.blobs.keys()].filter((name) => !/^keys\/|\/removals\//.test(name))).toEqual([]);
      if (!died) return;
    }
  });

  it("remove a segment, an orphan and a record by their kinds, and nothing else", async () => {
    const { vault, items } = await vaultWithBackups([1, 2]);
    const segment = logPlace(SOURCE).nameOf("20261121T230413123Z-00000001");
    const kept = logPlace(SOURCE).nameOf("20261121T230413123Z-00000002");
    for (const name of [segment, kept]) await vault.storage.data.create(name, Buffer.from("log"));
    const orphan = items[0]?.id ?? "";
    vault.storage.blobs.delete(fullPlace(SOURCE).nameOf(orphan));
    const record = await announce(vault, [
      { kind: "segment", id: "20261121T230413123Z-00000001", sizeBytes: 3, replacedBy: "20261122T000000000Z-00000000" },
      { kind: "orphan", id: orphan, sizeBytes: 3 },
    ]);
    await removeRecorded(vault, record);
    expect(vault.storage.blobs.has(segment)).toBe(false);
    expect(vault.storage.blobs.has(kept)).toBe(true);
    expect(await listOrphans(vault, SOURCE)).toEqual([]);
    expect(await listBackups(queryOf(vault))).toHaveLength(1);
  });

  it("are chained, and listed by what they announce", async () => {
    const { vault, items } = await vaultWithBackups([1, 2, 3]);
    for (const [index, item] of items.entries()) await announce(vault, [item], day(4 + index));
    const records = await listRemovalRecords(queryOf(vault));
    expect(checkChain(records, vault.name)).toEqual({ start: "whole", broken: [] });
    const removals = await listRemovals(queryOf(vault));
    expect([...removals.keys()].toSorted()).toEqual(items.map(({ id }) => id));
    expect(removals.get(items[1]?.id ?? "")).toMatchObject({ reason: "retention", removal: records[1]?.id });
  });

  it("are read from the newest back, only until what is wanted was found", async () => {
    const { vault, items } = await vaultWithBackups([1, 2, 3]);
    for (const [index, item] of items.entries()) await announce(vault, [item], day(4 + index));
    const wanted = [items[2]?.sha256 ?? ""];
    const removals = await listRemovals({ ...queryOf(vault), wanted });
    expect(removals.has(items[2]?.id ?? "")).toBe(true);
    expect(removals.has(items[0]?.id ?? "")).toBe(false);
    expect(await listRemovals({ ...queryOf(failingVault(vault, { failAt: 1 })), wanted: [] })).toEqual(new Map());
  });

  it("tell of the backup, where its rest was removed later as an orphan", async () => {
    const { vault, items } = await vaultWithBackups([1]);
    const [item] = items;
    if (item === undefined) throw new Error("there is no backup");
    await announce(vault, [item], day(4));
    await announce(vault, [{ kind: "orphan", id: item.id, sizeBytes: 1 }], day(5));
    expect((await listRemovals(queryOf(vault))).get(item.id)).toMatchObject({ kind: "full", sha256: item.sha256 });
  });

  it("count only in the vaults that they name, and only as they were signed", async () => {
    const { vault, items } = await vaultWithBackups([1, 2]);
    const other = memoryVault("offsite");
    const record = await announce(vault, items.slice(0, 1));
    const name = removalPlace(SOURCE).nameOf(record.id);
    const blob = vault.storage.blobs.get(name);
    if (blob === undefined) throw new Error("there is no record");
    other.storage.blobs.set(name, blob);
    expect((await listRemovals(queryOf(other))).size).toBe(0);
    vault.storage.blobs.set(name, {
      ...blob,
      bytes: Buffer.from(blob.bytes.toString("utf8").replace(/.{9}"\n\}/, 'AAAAAAAAA"\n}')),
    });
    expect((await listRemovals(queryOf(vault))).size).toBe(0);
    expect(await listRemovalRecords(queryOf(vault))).toMatchObject([{ state: "invalid" }]);
  });

  it("must be written before anything goes: where no vault takes one, nothing is announced", async () => {
    const { vault, items } = await vaultWithBackups([1]);
    await expect(announce(failingVault(vault, { failAt: 1 }), items)).rejects.toMatchObject({
      code: "STORAGE_UNAVAILABLE",
    });
  });
});
