import { describe, expect, it } from "vitest";
import { dataName, fullPlace } from "../../../lib/vault/names.ts";
import { failingVault } from "../../support/failing-vault.ts";
import { memoryVault, SOURCE, testKeys, writeBackup } from "../../support/vault-fixture.ts";
import { verifyOne as verify } from "../../support/verify.ts";

const { decryption } = testKeys();

function day(n: number) {
  return { clock: () => new Date(Date.UTC(2026, 10, n, 3)) };
}

/** What rotations of keys wrote is listed in two places, which can't be told empty either. */
const KEY_PLACES = 2;

async function oneBackup() {
  const vault = memoryVault();
  const { manifest } = await writeBackup([vault], day(1));
  const nameOf = (blob: string) => dataName(SOURCE, manifest.id, blob);
  const bytesOf = (blob: string) => vault.storage.blobs.get(nameOf(blob))?.bytes ?? Buffer.alloc(0);
  const put = (blob: string, bytes: Buffer) => vault.storage.blobs.set(nameOf(blob), { bytes, createdAt: new Date() });
  return { vault, manifest, nameOf, bytesOf, put };
}

describe("verify", () => {
  it("proves every blob and manifest of an intact vault, with and without the private key", async () => {
    const { vault } = await oneBackup();
    await writeBackup([vault], day(2));
    const stored = Array.from(vault.storage.blobs).filter(([name]) => !name.startsWith("keys/"));
    const bytes = stored.reduce((total, [, blob]) => total + blob.bytes.length, 0);
    for (const deep of [undefined, [decryption]]) {
      expect(await verify(vault, deep && { deep })).toMatchObject({
        proven: 8,
        failed: 0,
        notLooked: 0,
        bytes,
        problems: [],
      });
    }
  });

  it("finds a blob with any byte changed, cut, removed or replaced by another", async () => {
    const { vault, nameOf, bytesOf, put } = await oneBackup();
    const name = "rows/000001";
    const good = bytesOf(name);
    const damages: [string, Buffer][] = Array.from(good.keys(), (at) => {
      const changed = Buffer.from(good);
      changed[at] = (changed[at] ?? 0) ^ 1;
      return ["BLOB_DAMAGED", changed];
    });
    damages.push(["BLOB_DAMAGED", good.subarray(0, -1)], ["BLOB_DAMAGED", Buffer.alloc(0)]);
    damages.push(["BLOB_DAMAGED", Buffer.concat([good, Buffer.from([0])])], ["BLOB_DAMAGED", bytesOf("rows/000002")]);
    for (const [code, bytes] of damages) {
      put(name, bytes);
      expect(await verify(vault)).toMatchObject({
        proven: 3,
        failed: 1,
        problems: [{ vault: "primary", blob: nameOf(name), code }],
      });
    }
    vault.storage.blobs.delete(nameOf(name));
    expect(await verify(vault)).toMatchObject({ proven: 3, failed: 1, problems: [{ code: "BLOB_MISSING" }] });
  });

  it("says by the private key what is wrong inside a blob", async () => {
    const { vault, bytesOf, put } = await oneBackup();
    const bytes = Buffer.from(bytesOf("rows/000001"));
    bytes[60] = (bytes[60] ?? 0) ^ 1;
    put("rows/000001", bytes);
    expect(await verify(vault, { deep: [decryption] })).toMatchObject({
      proven: 3,
      failed: 1,
      problems: [{ code: "CHUNK_FORGED" }],
    });
  });

  it("does not count data as proven whose manifest can't be believed", async () => {
    const { vault, manifest } = await oneBackup();
    const blob = vault.storage.blobs.get(fullPlace(SOURCE).nameOf(manifest.id));
    if (blob) blob.bytes = Buffer.from(blob.bytes.toString().replace('"signature": "', '"signature": "A'));
    expect(await verify(vault)).toMatchObject({ proven: 0, failed: 1, problems: [{ code: "SIGNATURE_INVALID" }] });
  });

  it("reports a record that was removed from the chain", async () => {
    const { vault } = await oneBackup();
    const second = await writeBackup([vault], day(2));
    const third = await writeBackup([vault], day(3));
    vault.storage.blobs.delete(fullPlace(SOURCE).nameOf(second.manifest.id));
    expect(await verify(vault)).toMatchObject({
      failed: 1,
      problems: [{ blob: fullPlace(SOURCE).nameOf(third.manifest.id), code: "CHAIN_BROKEN" }],
    });
  });

  it("says what it did not look at: over its budget, after it was stopped, or where the storage is silent", async () => {
    const { vault } = await oneBackup();
    expect(await verify(vault, { maxBytes: 1 })).toMatchObject({ proven: 1, failed: 0, notLooked: 3, problems: [] });
    expect(await verify(vault, { deep: [] })).toMatchObject({
      proven: 1,
      failed: 0,
      notLooked: 3,
      problems: [{ code: "KEY_NOT_RECIPIENT" }],
    });
    const broken = failingVault(vault, { failAt: 5 });
    const report = await verify(broken);
    expect(report).toMatchObject({ proven: 1, failed: 0, notLooked: 3 + KEY_PLACES });
    expect(report.problems).toHaveLength(1);
    expect(report.problems[0]).toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  });

  it("stops at its signal and reports what is left as not looked at", async () => {
    const { vault } = await oneBackup();
    const controller = new AbortController();
    const report = await verify(vault, { signal: controller.signal, progress: () => controller.abort() });
    expect(report.failed).toBe(0);
    expect(report.proven + report.notLooked).toBe(4);
    expect(report.notLooked).toBeGreaterThanOrEqual(2);
  });
});
