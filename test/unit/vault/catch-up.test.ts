import { describe, expect, it } from "vitest";
import { catchUp, type CatchUpRequest } from "../../../lib/vault/catch-up.ts";
import { listBackups } from "../../../lib/vault/catalogue.ts";
import { assertComplete } from "../../../lib/vault/complete.ts";
import { readDamage } from "../../../lib/vault/damage.ts";
import { readMerged } from "../../../lib/vault/merged-blob.ts";
import { idsInMergedName, logPlace } from "../../../lib/vault/names.ts";
import { recordRemoval } from "../../../lib/vault/removal.ts";
import { listSegments } from "../../../lib/vault/segment-index.ts";
import type { Vault } from "../../../lib/vault/vault.ts";
import { announce } from "../../support/announce.ts";
import { failingVault } from "../../support/failing-vault.ts";
import { merge, segmentQuery } from "../../support/merge.ts";
import { change } from "../../support/memory-log.ts";
import { bytesOf, contentsOf, replaceBlob, twoVaults } from "../../support/two-vaults.ts";
import { type MemoryTestVault, memoryVault, SOURCE, TOOL, writeBackup } from "../../support/vault-fixture.ts";
import { verifyOne } from "../../support/verify.ts";

type Fixture = Awaited<ReturnType<typeof twoVaults>>;

/** A vault with everything, and one that was away all the time. */
async function oneBehind(): Promise<Fixture & { primary: MemoryTestVault; offsite: MemoryTestVault }> {
  const fixture = await twoVaults();
  return { ...fixture, primary: fixture.vaults[0], offsite: memoryVault("offsite") };
}

function requestOf(fixture: Fixture, to: Vault, others: readonly Vault[]): CatchUpRequest {
  const { trusted, signer, clock } = fixture;
  return { to, others, source: SOURCE, trusted, signer, clock };
}

describe("catching up", () => {
  it("makes a vault that was away equal to the other, byte for byte, and finds nothing more to do", async () => {
    const fixture = await oneBehind();
    const { primary, offsite } = fixture;
    const report = await catchUp(requestOf(fixture, offsite, [primary]));
    expect(report).toMatchObject({ vault: "offsite", backups: 2, segments: 5, records: 5, blobs: 6, problems: [] });
    expect(contentsOf(offsite)).toEqual(contentsOf(primary));
    const bytes = [...primary.storage.blobs.values()].reduce((sum, blob) => sum + blob.bytes.length, 0);
    expect(report.bytes).toBe(bytes);
    expect(await catchUp(requestOf(fixture, offsite, [primary]))).toMatchObject({ bytes: 0, backups: 0, records: 0 });
    expect(await catchUp(requestOf(fixture, primary, [offsite]))).toMatchObject({ bytes: 0 });
    const verified = await verifyOne(offsite, { trusted: fixture.trusted });
    expect(verified).toMatchObject({ failed: 0, notLooked: 0 });
  });

  it("fills a hole in the middle of the log and brings records of kinds that it does not know", async () => {
    const fixture = await twoVaults();
    const [primary, offsite] = fixture.vaults;
    replaceBlob(offsite, fixture.names.segment, undefined);
    const unknown = fixture.names.run.replace("/runs/", "/something-new/");
    replaceBlob(primary, unknown, bytesOf(primary, fixture.names.run));
    const report = await catchUp(requestOf(fixture, offsite, [primary]));
    expect(report).toMatchObject({ segments: 1, records: 1, backups: 0, problems: [] });
    expect(bytesOf(offsite, unknown)).toEqual(bytesOf(primary, unknown));
  });

  it.each([false, true])(
    "killed at any operation (which took effect: %s), it lies never and goes on",
    async (tookEffect) => {
      const reference = await oneBehind();
      const counted = failingVault(reference.offsite, { failAt: Infinity });
      await catchUp(requestOf(reference, counted, [reference.primary]));
      expect(counted.operations).toBeGreaterThan(30);
      for (let failAt = 1; failAt <= counted.operations; failAt++) {
        const offsite = memoryVault("offsite");
        const { primary, trusted } = reference;
        const dying = failingVault(offsite, { failAt, tookEffect });
        const killed = await catchUp(requestOf(reference, dying, [primary])).catch((error: unknown) => error);
        // An answer that got lost after the last read changes nothing.
        if (failAt < counted.operations) expect(killed).toMatchObject({ code: "STORAGE_UNAVAILABLE" });
        // Whatever has a manifest is whole.
        for (const backup of await listBackups({ vault: offsite, source: SOURCE, trusted })) {
          if (backup.state !== "valid") throw new Error(backup.error.message);
          await assertComplete(offsite, backup.content, new Map());
        }
        expect((await listSegments({ vault: offsite, source: SOURCE, trusted })).damaged).toEqual([]);
        await catchUp(requestOf(reference, offsite, [primary]));
        expect(contentsOf(offsite)).toEqual(contentsOf(primary));
      }
    },
  );

  it("never copies bytes that are not what was signed, and says in both vaults that they are lost", async () => {
    const fixture = await oneBehind();
    const { primary, offsite, names, manifest } = fixture;
    for (const name of [names.data, names.segment, names.run]) change(primary, name, 50);
    const report = await catchUp(requestOf(fixture, offsite, [primary]));
    expect(report.lost.map(({ blob }) => blob).toSorted()).toEqual([names.data, names.run, names.segment].toSorted());
    expect(report).toMatchObject({ backups: 1, segments: 4, problems: [] });
    for (const name of [names.data, names.manifest, names.segment]) expect(offsite.storage.blobs.has(name)).toBe(false);
    const known = await readDamage({ vault: primary, source: SOURCE, trusted: fixture.trusted });
    await expect(assertComplete(primary, manifest, known)).rejects.toMatchObject({ code: "BLOB_DAMAGED" });
  });

  it("takes from a third vault what is bad in the first that has it", async () => {
    const fixture = await twoVaults();
    const [primary, second] = fixture.vaults;
    const third = memoryVault("third");
    for (const name of [fixture.names.data, fixture.names.segment]) change(primary, name, 50);
    const report = await catchUp(requestOf(fixture, third, [primary, second]));
    expect(report).toMatchObject({ backups: 2, segments: 5, problems: [] });
    expect(bytesOf(third, fixture.names.data)).toEqual(bytesOf(second, fixture.names.data));
  });

  it("replaces what lies in the place of a data blob before it calls the backup copied", async () => {
    const fixture = await oneBehind();
    const { primary, offsite, names } = fixture;
    replaceBlob(offsite, names.data, Buffer.from("left by somebody"));
    expect(await catchUp(requestOf(fixture, offsite, [primary]))).toMatchObject({ backups: 2, problems: [] });
    expect(bytesOf(offsite, names.data)).toEqual(bytesOf(primary, names.data));
  });

  it("brings nothing back that was removed from the vault on purpose", async () => {
    const fixture = await twoVaults();
    const { vaults, manifest, segments, runs, signer, clock, trusted } = fixture;
    const [primary, offsite] = vaults;
    const items = [
      { kind: "full" as const, id: manifest.id, sizeBytes: 1 },
      { kind: "segment" as const, id: segments[0] ?? "", sizeBytes: 1 },
      { kind: "run" as const, id: runs[0] ?? "", sizeBytes: 1 },
    ];
    const common = { source: SOURCE, environment: "test", tool: TOOL, policyHash: "", reason: "retention" };
    await recordRemoval({ ...common, items, vaults: [offsite], signer, clock });
    const ids = new Set(items.map(({ id }) => id));
    for (const name of Object.keys(contentsOf(offsite))) {
      if ([...ids].some((id) => name.includes(id))) replaceBlob(offsite, name, undefined);
    }
    const before = contentsOf(offsite);
    const report = await catchUp(requestOf(fixture, offsite, [primary]));
    expect(report).toMatchObject({ bytes: 0, removed: 3, problems: [] });
    expect(contentsOf(offsite)).toEqual(before);
    expect((await readDamage({ vault: offsite, source: SOURCE, trusted })).size).toBe(0);
  });

  it("does not bring back merged log that retention removed, and does bring back what was only given up for a merged blob", async () => {
    const fixture = await twoVaults();
    const [primary, offsite] = fixture.vaults;
    const { merged } = fixture.names;
    const blob = { name: merged, sizeBytes: bytesOf(offsite, merged).length, ...idsInMergedName(SOURCE, merged) };
    const held = await readMerged(segmentQuery(offsite), { lastId: "", mergedId: undefined, ...blob });
    if (held.state === "invalid") throw new Error(held.error.message);
    const items = held.parts.map(({ id, sha256, sizeBytes }) => ({ kind: "segment" as const, id, sha256, sizeBytes }));
    const given = items.map((item) => ({ ...item, replacedBy: held.content.id }));
    await announce(primary, given, { clock: () => new Date("2026-11-23T02:00:00Z"), reason: "compaction" });
    replaceBlob(primary, merged, undefined);
    expect(await catchUp(requestOf(fixture, primary, [offsite]))).toMatchObject({ segments: 1, removed: 0 });
    const blobs = items.map((item) => ({ ...item, blobs: [merged] }));
    await announce(primary, blobs, { clock: () => new Date("2026-11-29T02:00:00Z") });
    replaceBlob(primary, merged, undefined);
    expect(await catchUp(requestOf(fixture, primary, [offsite]))).toMatchObject({ segments: 0, removed: 1 });
    expect(primary.storage.blobs.has(merged)).toBe(false);
  });

  it("copies a merged stretch of the log to a vault that lacks any of it, and to no vault that holds its segments", async () => {
    const fixture = await twoVaults();
    const [primary, offsite] = fixture.vaults;
    const behind = memoryVault("behind");
    const { blob } = await merge(primary, fixture.segments.slice(0, 2));
    expect(await catchUp(requestOf(fixture, offsite, [primary]))).toMatchObject({ segments: 0, bytes: 0 });
    for (const id of fixture.segments.slice(0, 2)) replaceBlob(primary, logPlace(SOURCE).nameOf(id), undefined);
    const report = await catchUp(requestOf(fixture, behind, [primary]));
    expect(report).toMatchObject({ segments: 4, problems: [] });
    expect(bytesOf(behind, blob.name)).toEqual(bytesOf(primary, blob.name));
    // What lies merged in it is not copied once more, piece by piece.
    expect(await catchUp(requestOf(fixture, behind, [offsite]))).toMatchObject({ segments: 0, bytes: 0 });
    const { entries } = await listSegments({ vault: behind, source: SOURCE, trusted: fixture.trusted });
    expect(entries.map(({ id }) => id).slice(-3)).toEqual(fixture.segments);
    expect(entries).toHaveLength(7);
  });

  it("copies what both lack of each other, in both directions", async () => {
    const fixture = await twoVaults();
    const [primary, offsite] = fixture.vaults;
    const { clock } = fixture;
    const [one] = [await writeBackup([primary], { clock })];
    const other = await writeBackup([offsite], { clock });
    await catchUp(requestOf(fixture, offsite, [primary]));
    await catchUp(requestOf(fixture, primary, [offsite]));
    for (const vault of fixture.vaults) {
      const ids = (await listBackups({ vault, source: SOURCE, trusted: fixture.trusted })).map(({ id }) => id);
      expect(ids).toEqual(expect.arrayContaining([one.manifest.id, other.manifest.id]));
    }
  });
});
