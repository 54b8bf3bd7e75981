import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { openBackupReader } from "../../../lib/vault/backup-reader.ts";
import { localDecryptionKey } from "../../../lib/vault/keys/local-keys.ts";
import type { BlobRecord, Manifest } from "../../../lib/vault/manifest.ts";
import { dataName } from "../../../lib/vault/names.ts";
import type { Vault } from "../../../lib/vault/vault.ts";
import { failingVault } from "../../support/failing-vault.ts";
import { collect, memoryVault, SOURCE, testKeys, writeBackup } from "../../support/vault-fixture.ts";

const { decryption, breakGlass } = testKeys();

async function oneBackup() {
  const vault = memoryVault();
  return { vault, manifest: (await writeBackup([vault])).manifest };
}

async function read(vault: Vault, manifest: Manifest, name = "rows/000001"): Promise<string> {
  const reader = await openBackupReader({ vault, manifest, keys: [decryption] });
  return (await collect(reader.readBlob(name))).toString();
}

describe("a backup reader", () => {
  it("takes the first of several keys that is a recipient", async () => {
    const { vault, manifest } = await oneBackup();
    const stranger = localDecryptionKey(generateKeyPairSync("rsa", { modulusLength: 3072 }).privateKey);
    const reader = await openBackupReader({ vault, manifest, keys: [stranger, breakGlass] });
    expect((await collect(reader.readBlob("rows/000001"))).toString()).toBe("1\tone\n2\ttwo\n");
    await expect(openBackupReader({ vault, manifest, keys: [stranger] })).rejects.toMatchObject({
      code: "KEY_NOT_RECIPIENT",
    });
  });

  it.each<[string, Partial<BlobRecord>]>([
    ["size", { sizeBytes: 1 }],
    ["hash", { sha256: "0".repeat(64) }],
    ["plain size", { plainBytes: 1 }],
    ["number of chunks", { chunks: 9 }],
  ])("finds a blob that is authentic but not the one of its manifest: another %s", async (_what, change) => {
    const { vault, manifest } = await oneBackup();
    const blobs = manifest.blobs.map((blob) => (blob.name === "rows/000001" ? { ...blob, ...change } : blob));
    await expect(read(vault, { ...manifest, blobs })).rejects.toMatchObject({ code: "BLOB_DAMAGED" });
  });

  it("finds a blob that is missing, or that no manifest names", async () => {
    const { vault, manifest } = await oneBackup();
    await expect(read(vault, manifest, "rows/000009")).rejects.toMatchObject({ code: "BLOB_MISSING" });
    vault.storage.blobs.delete(dataName(SOURCE, manifest.id, "rows/000001"));
    await expect(read(vault, manifest)).rejects.toMatchObject({ code: "BLOB_MISSING" });
  });

  it("does not open a blob of another backup in the place of its own", async () => {
    const { vault, manifest } = await oneBackup();
    const other = await writeBackup([vault], { clock: () => new Date("2026-11-25T00:00:00Z") });
    const bytes = vault.storage.blobs.get(dataName(SOURCE, other.manifest.id, "rows/000001"));
    if (bytes) vault.storage.blobs.set(dataName(SOURCE, manifest.id, "rows/000001"), bytes);
    await expect(read(vault, manifest)).rejects.toMatchObject({ code: "CHUNK_FORGED" });
  });

  it("passes on that the storage does not answer", async () => {
    const { vault, manifest } = await oneBackup();
    await expect(read(failingVault(vault, { failAt: 1 }), manifest)).rejects.toMatchObject({
      code: "STORAGE_UNAVAILABLE",
    });
  });
});
