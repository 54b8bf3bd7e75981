import { describe, expect, it } from "vitest";
import { AppError } from "../../../lib/core/errors.ts";
import { listBackups, listOrphans, readBackup } from "../../../lib/vault/catalogue.ts";
import { signEnvelope } from "../../../lib/vault/envelope.ts";
import { fullPlace } from "../../../lib/vault/names.ts";
import { failingVault } from "../../support/failing-vault.ts";
import { type MemoryTestVault, memoryVault, SOURCE, testKeys, writeBackup } from "../../support/vault-fixture.ts";

const NOW = new Date("2026-11-21T23:00:00Z");
const { trusted, signer } = testKeys(() => NOW);

function day(n: number) {
  return { clock: () => new Date(Date.UTC(2026, 10, n, 3)) };
}

function query(vault: MemoryTestVault) {
  return { vault, source: SOURCE, trusted };
}

function put(vault: MemoryTestVault, name: string, bytes: Buffer): void {
  vault.storage.blobs.set(name, { bytes, createdAt: NOW });
}

function manifestBytes(vault: MemoryTestVault, id: string): Buffer {
  return vault.storage.blobs.get(fullPlace(SOURCE).nameOf(id))?.bytes ?? Buffer.alloc(0);
}

describe("the catalogue", () => {
  it("lists backups in the order of their time, whatever the order of writing", async () => {
    const vault = memoryVault();
    const written = [];
    for (const n of [3, 1, 2]) written.push((await writeBackup([vault], day(n))).manifest.id);
    expect((await listBackups(query(vault))).map(({ id }) => id)).toEqual(written.toSorted());
  });

  it("is empty for a source that has no backup, and does not mix sources", async () => {
    const vault = memoryVault();
    await writeBackup([vault], { ...day(1), source: { name: "shop-archive", kind: "mysql" } });
    expect(await listBackups(query(vault))).toEqual([]);
  });

  it("shows a manifest that can't be believed, with its code", async () => {
    const vault = memoryVault();
    const { manifest } = await writeBackup([vault], day(1));
    const name = fullPlace(SOURCE).nameOf(manifest.id);
    const good = manifestBytes(vault, manifest.id);
    const edited = JSON.parse(good.toString()) as { payload: string };
    const payload = { ...manifest, totals: { ...manifest.totals, rows: 0 } };
    const sign = (content: object) => signEnvelope("resguardo-manifest", content, signer, () => NOW);
    const cases: [string, Buffer][] = [
      [
        "SIGNATURE_INVALID",
        Buffer.from(JSON.stringify({ ...edited, payload: Buffer.from(JSON.stringify(payload)).toString("base64url") })),
      ],
      ["MANIFEST_INVALID", Buffer.from("not JSON")],
      ["MANIFEST_INVALID", Buffer.alloc(0)],
      ["MANIFEST_INVALID", good.subarray(0, -100)],
      ["MANIFEST_INVALID", await sign({ ...manifest, blobs: "none" })],
      ["MANIFEST_INVALID", await sign({ hello: "world" })],
      ["MANIFEST_VERSION", await sign({ ...manifest, version: 2, blobs: { new: "shape" } })],
    ];
    for (const [code, bytes] of cases) {
      put(vault, name, bytes);
      expect(await listBackups(query(vault))).toMatchObject([
        { state: "invalid", id: manifest.id, name, error: { code } },
      ]);
    }
    put(vault, name, good);
    expect(await listBackups(query(vault))).toMatchObject([{ state: "valid" }]);
  });

  it("reads fields that it does not know", async () => {
    const vault = memoryVault();
    const { manifest } = await writeBackup([vault], day(1));
    const grown = {
      ...manifest,
      later: 1,
      tool: { ...manifest.tool, channel: "x" },
      blobs: manifest.blobs.map((b) => ({ ...b, tier: 1 })),
    };
    put(
      vault,
      fullPlace(SOURCE).nameOf(manifest.id),
      await signEnvelope("resguardo-manifest", grown, signer, () => NOW),
    );
    expect(await listBackups(query(vault))).toMatchObject([{ state: "valid", content: manifest }]);
  });

  it("does not take a true manifest that was put in the place of another", async () => {
    const vault = memoryVault();
    const old = await writeBackup([vault], day(1));
    const young = await writeBackup([vault], day(2));
    put(vault, fullPlace(SOURCE).nameOf(young.manifest.id), manifestBytes(vault, old.manifest.id));
    expect(await readBackup(query(vault), young.manifest.id)).toMatchObject({
      state: "invalid",
      error: { code: "MANIFEST_INVALID" },
    });
    put(vault, fullPlace("other").nameOf(old.manifest.id), manifestBytes(vault, old.manifest.id));
    expect(await listBackups({ ...query(vault), source: "other" })).toMatchObject([{ state: "invalid" }]);
  });

  it("reads one backup by its id", async () => {
    const vault = memoryVault();
    const { manifest } = await writeBackup([vault], day(1));
    expect(await readBackup(query(vault), manifest.id)).toMatchObject({ state: "valid", content: { id: manifest.id } });
    expect(await readBackup(query(vault), "20200101T000000000Z-00000000")).toBeUndefined();
  });

  it("tells the data of interrupted backups from that of backups", async () => {
    const vault = memoryVault();
    const { manifest } = await writeBackup([vault], day(1));
    expect(await listOrphans(vault, SOURCE)).toEqual([]);
    vault.storage.blobs.delete(fullPlace(SOURCE).nameOf(manifest.id));
    const sizeBytes = manifest.totals.storedBytes;
    expect(await listOrphans(vault, SOURCE)).toMatchObject([{ id: manifest.id, blobs: 3, sizeBytes }]);
  });

  it("throws when the storage does not answer: unknown is not none", async () => {
    const vault = memoryVault();
    await writeBackup([vault], day(1));
    for (const failAt of [1, 2]) {
      const broken = failingVault(vault, { failAt });
      await expect(listBackups({ vault: broken, source: SOURCE, trusted })).rejects.toThrow(AppError);
    }
  });
});
