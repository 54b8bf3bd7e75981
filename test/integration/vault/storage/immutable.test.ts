import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listBackups } from "../../../../lib/vault/catalogue.ts";
import { readProtection, setLegalHold } from "../../../../lib/vault/protection.ts";
import { moveTiers } from "../../../../lib/vault/retention/move-tiers.ts";
import { openAzureBlobVault } from "../../../../lib/vault/storage/azure-blob.ts";
import { type AzureTuning, DEFAULT_TUNING } from "../../../../lib/vault/storage/azure-call.ts";
import type { Vault } from "../../../../lib/vault/vault.ts";
import { type TestAzurite, startTestAzurite } from "../../../support/azurite.ts";
import { type ImmutableBlobs, startImmutableBlobs } from "../../../support/immutable-blobs.ts";
import { pattern, piecesOf, readAll } from "../../../support/storage-data.ts";
import { memoryVault, SOURCE, testKeys, writeBackup } from "../../../support/vault-fixture.ts";

const DAY_MS = 86_400_000;
const QUICK: AzureTuning = { ...DEFAULT_TUNING, blockBytes: 1024 * 1024, maxTries: 2, retryDelayMs: 10 };
const { trusted } = testKeys();

let azurite: TestAzurite;
let blobs: ImmutableBlobs;
beforeAll(async () => {
  azurite = await startTestAzurite();
  blobs = await startImmutableBlobs(azurite);
});
afterAll(async () => {
  await blobs[Symbol.asyncDispose]();
  await azurite[Symbol.asyncDispose]();
});

async function open(options: { immutableMs?: number; connectionString?: string } = {}): Promise<Vault> {
  const { connectionString = blobs.connectionString, immutableMs } = options;
  const config = {
    connectionString,
    container: `c${randomUUID()}`,
    ...(immutableMs !== undefined && { immutableMs }),
  };
  const storage = await openAzureBlobVault("primary", config, QUICK);
  await storage.prepare();
  return { name: "primary", storage };
}

describe("a vault that is immutable by policy", () => {
  it("creates each blob with a locked policy, in one piece or in many, and tells it from what the storage says", async () => {
    const { storage } = await open({ immutableMs: 7 * DAY_MS });
    const before = Date.now();
    await storage.data.create("small", Buffer.from("text"));
    await storage.data.create("large", piecesOf(pattern(3_000_000), 500_000));
    const listed = await Array.fromAsync(storage.data.list(""));
    expect(listed).toHaveLength(2);
    for (const blob of [...listed, await storage.data.stat("small"), await storage.data.stat("large")]) {
      const until = blob?.immutableUntil?.getTime() ?? 0;
      // The service rounds to a second.
      expect(Math.abs(until - before - 7 * DAY_MS)).toBeLessThan(60_000);
    }
    await expect(storage.data.remove("small")).rejects.toMatchObject({ code: "STORAGE_REFUSED" });
    expect((await readAll(storage.data, "small")).toString()).toBe("text");
  });

  it("keeps a whole backup, and says until when", async () => {
    const vault = await open({ immutableMs: 7 * DAY_MS });
    const { manifest } = await writeBackup([vault]);
    const { immutableUntil } = await readProtection(vault, SOURCE, manifest.id);
    expect(Math.abs((immutableUntil?.getTime() ?? 0) - Date.now() - 7 * DAY_MS)).toBeLessThan(60_000);
  });

  it("says that nothing is immutable where the storage dropped the policy without a word", async () => {
    const vault = await open({ immutableMs: 7 * DAY_MS, connectionString: azurite.connectionString });
    const { manifest } = await writeBackup([vault]);
    expect(await readProtection(vault, SOURCE, manifest.id)).toEqual({ immutableUntil: undefined, legalHold: false });
  });

  it("is not asked of a vault whose policy does not say so, nor of one without such things", async () => {
    const vault = await open();
    const { manifest } = await writeBackup([vault]);
    expect((await readProtection(vault, SOURCE, manifest.id)).immutableUntil).toBeUndefined();
    const memory = memoryVault();
    const written = await writeBackup([memory]);
    expect(await readProtection(memory, SOURCE, written.manifest.id)).toEqual({
      immutableUntil: undefined,
      legalHold: false,
    });
  });
});

describe("a legal hold", () => {
  it("is set on every blob of a backup, read back, and cleared again", async () => {
    const vault = await open();
    const { manifest } = await writeBackup([vault]);
    expect(await setLegalHold(vault, SOURCE, manifest.id, true)).toBe(true);
    const [entry] = await listBackups({ vault, source: SOURCE, trusted });
    expect(entry).toMatchObject({ legalHold: true });
    await expect(vault.storage.data.remove(entry?.name ?? "")).rejects.toMatchObject({ code: "STORAGE_REFUSED" });
    expect(await setLegalHold(vault, SOURCE, manifest.id, false)).toBe(false);
    await vault.storage.data.remove(entry?.name ?? "");
  });

  it("is refused with a code by a storage that knows none, and false where there can be none", async () => {
    const vault = await open({ connectionString: azurite.connectionString });
    const { manifest } = await writeBackup([vault]);
    await expect(setLegalHold(vault, SOURCE, manifest.id, true)).rejects.toMatchObject({ kind: "storage" });
    const memory = memoryVault();
    const written = await writeBackup([memory]);
    expect(await setLegalHold(memory, SOURCE, written.manifest.id, true)).toBe(false);
  });
});

describe("tiers", () => {
  it("take the rows of old backups, never what a plan needs, and are told", async () => {
    const vault = await open();
    const { manifest } = await writeBackup([vault]);
    const backups = (await listBackups({ vault, source: SOURCE, trusted })).filter(({ state }) => state === "valid");
    const move = (days: number, rules: { coolAfterMs?: number; archiveAfterMs?: number }) =>
      moveTiers(
        vault,
        SOURCE,
        backups.filter((backup) => backup.state === "valid"),
        rules,
        later(days),
      );
    expect(await move(29, { coolAfterMs: 30 * DAY_MS })).toBe(0);
    expect(await move(31, { coolAfterMs: 30 * DAY_MS })).toBeGreaterThan(0);
    expect(await tiersOf(vault)).toEqual({ "schema.json": "hot", "rows/000001": "cool", "rows/000002": "cool" });
    // What is there already is not moved again, nor back.
    expect(await move(31, { coolAfterMs: 30 * DAY_MS })).toBe(0);
    await move(91, { coolAfterMs: 30 * DAY_MS, archiveAfterMs: 90 * DAY_MS });
    expect(await tiersOf(vault)).toMatchObject({ "schema.json": "hot", "rows/000001": "archive" });
    expect(await move(31, { coolAfterMs: 30 * DAY_MS })).toBe(0);
    const name = `${SOURCE}/data/${manifest.id}/rows/000001`;
    await expect(readAll(vault.storage.data, name)).rejects.toMatchObject({
      code: "BLOB_ARCHIVED",
      hint: expect.stringContaining("15 hours"),
    });
  });

  function later(days: number): Date {
    return new Date(Date.now() + days * DAY_MS);
  }

  async function tiersOf(vault: Vault): Promise<Record<string, string | undefined>> {
    const found = await Array.fromAsync(vault.storage.data.list(`${SOURCE}/data/`));
    return Object.fromEntries(found.map(({ name, tier }) => [name.split("/").slice(3).join("/"), tier]));
  }
});
