import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openVaultStorage } from "../../../../lib/vault/storage/open.ts";

it("opens a directory, and makes its folders only when told to", async () => {
  const parent = await mkdtemp(join(tmpdir(), "vault-"));
  const vault = await openVaultStorage("offsite", { kind: "directory", path: join(parent, "deep/vault") });
  expect(vault.data.label).toBe("offsite");
  expect(await readdir(parent)).toEqual([]);
  await vault.prepare();
  expect((await readdir(join(parent, "deep/vault"))).toSorted()).toEqual(["data", "incoming", "state"]);
  await rm(parent, { recursive: true });
});

it.each([
  { url: "https://example.blob.core.windows.net" },
  { url: "https://example.blob.core.windows.net/?sv=2024-01-01&sig=abc" },
  { connectionString: "UseDevelopmentStorage=true" },
])("opens an Azure account by %o without asking it anything", async (endpoint) => {
  const vault = await openVaultStorage("primary", { kind: "azure-blob", container: "resguardo", ...endpoint });
  expect(vault.data.label).toBe("primary");
});
