import { createHash, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type BackupWriterOptions, openBackupWriter } from "../../../lib/vault/backup-writer.ts";
import { openBackupReader } from "../../../lib/vault/backup-reader.ts";
import { openEnvelope } from "../../../lib/vault/envelope.ts";
import { listBackups, listOrphans } from "../../../lib/vault/catalogue.ts";
import { dataName, fullPlace, keyName } from "../../../lib/vault/names.ts";
import type { Vault } from "../../../lib/vault/vault.ts";
import { failingVault } from "../../support/failing-vault.ts";
import { verifyOne } from "../../support/verify.ts";
import {
  collect,
  contentOf,
  memoryVault,
  pieces,
  SOURCE,
  testKeys,
  writeBackup,
  writerOptions,
} from "../../support/vault-fixture.ts";

const { trusted, decryption, breakGlass, recipients, signer } = testKeys();

function catalogue(vault: Vault) {
  return listBackups({ vault, source: SOURCE, trusted });
}

async function validIds(vault: Vault): Promise<string[]> {
  return (await catalogue(vault)).filter(({ state }) => state === "valid").map(({ id }) => id);
}

function open(vaults: Vault[], overrides: Partial<BackupWriterOptions> = {}) {
  return openBackupWriter(writerOptions(vaults, overrides));
}

describe("a backup writer", () => {
  it("writes what the manifest says, and both recipients can read it", async () => {
    const vault = memoryVault();
    const { manifest, sha256, vaults } = await writeBackup([vault], { tag: "v1.2.3" });

    expect(vaults).toEqual([{ vault: "primary", state: "done" }]);
    const [entry] = await catalogue(vault);
    expect(entry).toMatchObject({ state: "valid", id: manifest.id, sha256, content: manifest });
    expect(manifest).toMatchObject({
      tag: "v1.2.3",
      totals: { rows: 3 },
      vaults: [{ name: "primary", previous: null }],
    });
    for (const blob of manifest.blobs) {
      const stored = vault.storage.blobs.get(dataName(SOURCE, manifest.id, blob.name));
      expect(stored?.bytes.length).toBe(blob.sizeBytes);
      expect(
        createHash("sha256")
          .update(stored?.bytes ?? "")
          .digest("hex"),
      ).toBe(blob.sha256);
    }
    for (const key of [decryption, breakGlass]) {
      const reader = await openBackupReader({ vault, manifest, keys: [key] });
      expect((await collect(reader.readBlob("rows/000001"))).toString()).toBe("1\tone\n2\ttwo\n");
    }
  });

  it("leaves nothing readable in the vault: no row, no data key", async () => {
    const vault = memoryVault();
    await writeBackup([vault], {}, [["1\tsecret-of-a-customer"], ["2\tx"]]);
    const everything = Buffer.concat(Array.from(vault.storage.blobs.values(), ({ bytes }) => bytes));
    expect(everything.includes("secret-of-a-customer")).toBe(false);
  });

  it("puts the public keys that its records name into the vault", async () => {
    const vault = memoryVault();
    await writeBackup([vault]);
    for (const { keyId } of [recipients.vault, recipients.breakGlass, signer.signingKey]) {
      const bytes = vault.storage.blobs.get(keyName(keyId))?.bytes ?? Buffer.alloc(0);
      expect(openEnvelope(bytes, "resguardo-key", trusted, keyName(keyId)).payload).toMatchObject({ keyId });
    }
  });

  it("is not in the catalogue before it is committed, and its data is an orphan", async () => {
    const vault = memoryVault();
    const writer = open([vault]);
    const { sizeBytes } = await writer.writeBlob("rows/000001", pieces("1\n"));
    expect(await catalogue(vault)).toEqual([]);
    expect(await listOrphans(vault, SOURCE)).toMatchObject([{ id: writer.id, blobs: 1, sizeBytes }]);
  });

  it("chains each manifest to the one before it in the same vault", async () => {
    const vault = memoryVault();
    const first = await writeBackup([vault], { clock: () => new Date("2026-11-21T03:00:00Z") });
    const second = await writeBackup([vault], { clock: () => new Date("2026-11-22T03:00:00Z") });
    const late = await writeBackup([vault], { clock: () => new Date("2028-01-01T03:00:00Z") });
    expect(second.manifest.vaults).toEqual([{ name: "primary", previous: first.sha256 }]);
    expect(late.manifest.vaults).toEqual([{ name: "primary", previous: second.sha256 }]);
  });

  it("goes on without a vault that fails while data is uploaded", async () => {
    const [primary, offsite] = [memoryVault("primary"), memoryVault("offsite")];
    const { manifest, vaults } = await writeBackup([primary, failingVault(offsite, { failAt: 2 })]);
    expect(vaults).toMatchObject([
      { vault: "primary", state: "done" },
      { vault: "offsite", state: "behind", error: { code: "STORAGE_UNAVAILABLE" } },
    ]);
    expect(await validIds(primary)).toEqual([manifest.id]);
    expect(await validIds(offsite)).toEqual([]);
    expect(manifest.vaults).toEqual([{ name: "primary", previous: null }]);
  });

  it("chains a vault that missed a backup to what it has", async () => {
    const [primary, offsite] = [memoryVault("primary"), memoryVault("offsite")];
    const day = (n: number) => ({ clock: () => new Date(Date.UTC(2026, 10, n)) });
    const first = await writeBackup([primary, offsite], day(1));
    const missed = await writeBackup([primary, failingVault(offsite, { failAt: 1 })], day(2));
    const third = await writeBackup([primary, offsite], day(3));
    expect(third.manifest.vaults).toEqual([
      { name: "primary", previous: missed.sha256 },
      { name: "offsite", previous: first.sha256 },
    ]);
  });

  it("throws when the last vault has failed, and says so again for each further blob", async () => {
    const [a, b] = ["a", "b"].map((name) => failingVault(memoryVault(name), { failAt: 1 })) as Vault[] as [
      Vault,
      Vault,
    ];
    const writer = open([a, b]);
    for (const name of ["rows/000001", "rows/000002"]) {
      await expect(writer.writeBlob(name, pieces("1\n"))).rejects.toMatchObject({
        code: "STORAGE_UNAVAILABLE",
        retryable: true,
        message: expect.stringContaining("all 2 vaults failed: a: the storage broke; b: the storage broke"),
      });
    }
  });

  it("throws what the source throws, and blames no vault for it", async () => {
    const vault = memoryVault();
    const writer = open([vault]);
    const failing = (async function* () {
      yield randomBytes(100_000);
      throw new RangeError("the source broke");
    })();
    await expect(writer.writeBlob("rows/000001", failing)).rejects.toThrow("the source broke");
    await expect(writer.writeBlob("rows/000002", pieces("1\n"))).resolves.toMatchObject({ name: "rows/000002" });
    expect([...vault.storage.blobs.keys()]).toEqual([dataName(SOURCE, writer.id, "rows/000002")]);
  });

  it("refuses a commit that names other blobs than were written", async () => {
    const writer = open([memoryVault()]);
    const schema = await writer.writeBlob("schema.json", pieces("{}"));
    const rows = await writer.writeBlob("rows/000001", pieces("1\n"));
    const wrong = [
      contentOf(schema, [], []),
      contentOf(schema, [rows, { ...rows, name: "rows/000002" }], [["1"], ["1"]]),
      contentOf(schema, [{ ...rows, sha256: "0".repeat(64) }], [["1"]]),
      contentOf(schema, [rows, rows], [["1"], ["1"]]),
    ];
    for (const content of wrong) await expect(writer.commit(content)).rejects.toMatchObject({ code: "INVARIANT" });
    await expect(writer.commit(contentOf(schema, [rows], [["1"]]))).resolves.toBeDefined();
    await expect(writer.writeBlob("rows/000003", pieces("x"))).rejects.toMatchObject({ code: "INVARIANT" });
  });

  it("writes no name twice, and nothing after it was aborted", async () => {
    const vault = memoryVault();
    const writer = open([vault]);
    await writer.writeBlob("rows/000001", pieces("1\n"));
    await expect(writer.writeBlob("rows/000001", pieces("1\n"))).rejects.toMatchObject({ code: "INVARIANT" });
    const hanging = writer.writeBlob(
      "rows/000002",
      (async function* () {
        yield randomBytes(10);
        await new Promise(() => {});
      })(),
    );
    writer.abort(new RangeError("stopped"));
    await expect(hanging).rejects.toThrow("stopped");
    await expect(writer.writeBlob("rows/000003", pieces("1\n"))).rejects.toThrow("stopped");
    expect(await catalogue(vault)).toEqual([]);
  });

  it("does not corrupt anything when two write at the same time", async () => {
    const vault = memoryVault();
    await Promise.all([writeBackup([vault]), writeBackup([vault])]);
    expect(await validIds(vault)).toHaveLength(2);
    expect(await verifyOne(vault)).toMatchObject({ proven: 8, failed: 0, notLooked: 0 });
  });
});

describe("a writer whose process dies", () => {
  it.each([false, true])(
    "leaves either the old state or the new one, at every operation (took effect: %s)",
    async (tookEffect) => {
      for (let failAt = 1, finished = false; !finished; failAt++) {
        const [primary, offsite] = [memoryVault("primary"), memoryVault("offsite")];
        await writeBackup([primary, offsite], { clock: () => new Date("2026-11-20T03:00:00Z") });
        const dying = [primary, offsite].map((vault) => failingVault(vault, { failAt, tookEffect }));
        try {
          await writeBackup(dying, { clock: () => new Date("2026-11-21T03:00:00Z") });
          finished = dying.every(({ operations }) => operations < failAt);
        } catch {
          // Dying is what is tried here; what counts is what it leaves.
        }
        for (const vault of [primary, offsite]) {
          const report = await verifyOne(vault, { deep: [decryption] });
          expect(report, `failed at ${failAt}`).toMatchObject({ failed: 0, notLooked: 0, problems: [] });
          expect(report.proven % 4, `failed at ${failAt}`).toBe(0);
          expect((await validIds(vault)).length).toBeGreaterThanOrEqual(1);
        }
        expect(failAt).toBeLessThan(60);
      }
    },
  );

  it("never has a manifest before all of its data", async () => {
    const vault = memoryVault();
    const order: string[] = [];
    const data = { ...vault.storage.data };
    const watched: Vault = {
      name: vault.name,
      storage: {
        ...vault.storage,
        data: {
          ...data,
          create: async (name, bytes, options) => {
            const created = await data.create(name, bytes, options);
            order.push(name);
            return created;
          },
        },
      },
    };
    const { manifest } = await writeBackup([watched]);
    expect(order.at(-1)).toBe(fullPlace(SOURCE).nameOf(manifest.id));
    expect(order.filter((name) => name.includes("/data/"))).toHaveLength(manifest.blobs.length);
  });

  it("takes a manifest that landed without a confirmation as written", async () => {
    const vault = memoryVault();
    const failing: Vault = {
      name: vault.name,
      storage: {
        ...vault.storage,
        data: {
          ...vault.storage.data,
          create: async (name, bytes, options) => {
            // A storage adapter that repeats a request whose answer got lost is told that the blob exists.
            if (name.endsWith("manifest.json")) await vault.storage.data.create(name, bytes, options);
            return vault.storage.data.create(name, bytes, options);
          },
        },
      },
    };
    const { vaults } = await writeBackup([failing]);
    expect(vaults).toEqual([{ vault: "primary", state: "done" }]);
  });
});
