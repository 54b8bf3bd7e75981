import { describe, expect, it } from "vitest";
import { assertOnline, readArchived } from "../../../lib/restore/archived.ts";
import type { FoundBackup } from "../../../lib/restore/candidates.ts";
import { listBackups } from "../../../lib/vault/catalogue.ts";
import type { Storage, Tier } from "../../../lib/vault/storage/storage.ts";
import type { Vault } from "../../../lib/vault/vault.ts";
import { memoryVault, SOURCE, testKeys, writeBackup } from "../../support/vault-fixture.ts";

/** A backup in a vault whose storage says that its rows are in that tier. */
async function backupIn(tier: Tier): Promise<FoundBackup> {
  const vault = memoryVault();
  await writeBackup([vault]);
  const { data } = vault.storage;
  const tiered: Storage = {
    ...data,
    async *list(prefix, options) {
      for await (const stat of data.list(prefix, options))
        yield stat.name.includes("/rows/") ? { ...stat, tier } : stat;
    },
  };
  const at: Vault = { name: "primary", storage: { ...vault.storage, data: tiered } };
  const [backup] = await listBackups({ vault: at, source: SOURCE, trusted: testKeys().trusted });
  if (backup?.state !== "valid") throw new Error("the backup can't be believed");
  return { vault: "primary", id: backup.id, consistentAt: backup.content.consistentAt, at, backup };
}

describe("a backup in the archive tier", () => {
  it("is told with its size, and how long it takes to bring it back", async () => {
    const found = await backupIn("archive");
    const rows = found.backup.content.blobs.filter(({ role }) => role === "rows");
    const sizeBytes = rows.reduce((sum, blob) => sum + blob.sizeBytes, 0);
    expect(await readArchived(found)).toEqual({ blobs: 2, sizeBytes, waitSeconds: 54_000 });
    await expect(assertOnline(found)).rejects.toMatchObject({ code: "BLOB_ARCHIVED", retryable: false });
  });

  it.each(["hot", "cool", "cold"] as const)("is no matter while it is in the %s tier", async (tier) => {
    const found = await backupIn(tier);
    expect(await readArchived(found)).toBeNull();
    await expect(assertOnline(found)).resolves.toBeUndefined();
  });
});
