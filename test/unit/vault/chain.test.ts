import { describe, expect, it } from "vitest";
import { listBackups } from "../../../lib/vault/catalogue.ts";
import { followChain } from "../../../lib/vault/chain.ts";
import { fullPlace } from "../../../lib/vault/names.ts";
import { failingVault } from "../../support/failing-vault.ts";
import { announce } from "../../support/announce.ts";
import { type MemoryTestVault, memoryVault, SOURCE, testKeys, writeBackup } from "../../support/vault-fixture.ts";

const { trusted } = testKeys();
const place = fullPlace(SOURCE);

function day(n: number) {
  return { clock: () => new Date(Date.UTC(2026, 10, n, 3)) };
}

async function threeBackups(): Promise<{ vault: MemoryTestVault; ids: [string, string, string] }> {
  const vault = memoryVault();
  const ids: string[] = [];
  for (const n of [1, 2, 3]) ids.push((await writeBackup([vault], day(n))).manifest.id);
  return { vault, ids: ids as [string, string, string] };
}

async function chainOf(vault: MemoryTestVault) {
  const query = { vault, source: SOURCE, trusted };
  return followChain(await listBackups(query), query);
}

describe("the chain of a vault", () => {
  it("is whole from the first record on", async () => {
    expect(await chainOf((await threeBackups()).vault)).toEqual({ start: "whole", broken: [] });
    expect(await chainOf(memoryVault())).toEqual({ start: "empty", broken: [] });
  });

  it("shows that a record in its middle was removed", async () => {
    const { vault, ids } = await threeBackups();
    vault.storage.blobs.delete(place.nameOf(ids[1]));
    expect(await chainOf(vault)).toMatchObject({
      start: "whole",
      broken: [{ id: ids[2], name: place.nameOf(ids[2]) }],
    });
  });

  it("shows that a record was replaced by another true one", async () => {
    const { vault, ids } = await threeBackups();
    const other = memoryVault();
    const clock = { clock: () => new Date(Date.UTC(2026, 10, 2, 4)) };
    const { manifest } = await writeBackup([other], clock);
    const bytes = other.storage.blobs.get(place.nameOf(manifest.id));
    vault.storage.blobs.delete(place.nameOf(ids[1]));
    if (bytes) vault.storage.blobs.set(place.nameOf(manifest.id), bytes);
    expect((await chainOf(vault)).broken).toMatchObject([{ id: ids[2] }]);
  });

  it("shows that its oldest record was removed, unless that was announced", async () => {
    const { vault, ids } = await threeBackups();
    const [first] = await listBackups({ vault, source: SOURCE, trusted });
    vault.storage.blobs.delete(place.nameOf(ids[0]));
    expect(await chainOf(vault)).toMatchObject({ start: "cut", broken: [{ id: ids[1] }] });
    await announce(vault, [{ kind: "full", id: ids[0], sizeBytes: 1, ...(first?.sha256 && { sha256: first.sha256 }) }]);
    expect(await chainOf(vault)).toEqual({ start: "cut", broken: [] });
  });

  it("may begin with a record that was copied into a new vault and names what only its own vault had", async () => {
    const { vault, ids } = await threeBackups();
    const added = memoryVault("added");
    for (const id of ids.slice(1)) {
      const blob = vault.storage.blobs.get(place.nameOf(id));
      if (blob) added.storage.blobs.set(place.nameOf(id), blob);
    }
    expect(await chainOf(added)).toEqual({ start: "cut", broken: [] });
  });

  it("is not broken by a record that this vault missed, nor by its copy that comes later", async () => {
    const [primary, offsite] = [memoryVault("primary"), memoryVault("offsite")];
    await writeBackup([primary, offsite], day(1));
    const { manifest } = await writeBackup([primary, failingVault(offsite, { failAt: 1 })], day(2));
    await writeBackup([primary, offsite], day(3));
    expect(await chainOf(offsite)).toEqual({ start: "whole", broken: [] });
    const missed = primary.storage.blobs.get(place.nameOf(manifest.id));
    if (missed) offsite.storage.blobs.set(place.nameOf(manifest.id), missed);
    expect(await chainOf(offsite)).toEqual({ start: "whole", broken: [] });
    // In the vault that did have it, its removal shows all the same.
    primary.storage.blobs.delete(place.nameOf(manifest.id));
    expect((await chainOf(primary)).broken).toHaveLength(1);
  });

  it("is whole although the record of an interrupted run was written late", async () => {
    const vault = memoryVault();
    await writeBackup([vault], day(5));
    const late = await writeBackup([vault], day(4));
    expect(late.manifest.vaults).not.toEqual([{ name: "primary", previous: null }]);
    expect(await chainOf(vault)).toEqual({ start: "whole", broken: [] });
  });

  it("counts a damaged record as changed, not as there", async () => {
    const { vault, ids } = await threeBackups();
    const blob = vault.storage.blobs.get(place.nameOf(ids[1]));
    if (blob) blob.bytes = Buffer.concat([blob.bytes, Buffer.from(" ")]);
    expect((await chainOf(vault)).broken).toMatchObject([{ id: ids[2] }]);
  });
});
