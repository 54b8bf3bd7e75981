import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BreakGlassRequest, openBreakGlass } from "../../../lib/restore/break-glass.ts";
import { listNotes } from "../../../lib/vault/break-glass-note.ts";
import { openDirectoryVault } from "../../../lib/vault/storage/directory.ts";
import { newSigningKey } from "../../support/signing-keys.ts";
import { TOOL, writeBackup } from "../../support/vault-fixture.ts";

const KEYS = fileURLToPath(new URL("../../golden/keys/", import.meta.url));
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "resguardo-glass-"));
});

afterAll(() => rm(folder, { recursive: true }));

async function vaultWith(...sources: string[]) {
  const path = await mkdtemp(join(folder, "vault-"));
  const storage = openDirectoryVault("any", path);
  await storage.prepare();
  const vault = { name: "any", storage };
  for (const name of sources) await writeBackup([vault], { source: { name, kind: "mysql" } });
  return { vault, path };
}

function open(path: string, request: Partial<BreakGlassRequest> = {}) {
  return openBreakGlass({ address: `dir:${path}`, command: "restore", folder, tool: TOOL, ...request });
}

describe("a vault that is opened without a policy", () => {
  it("is about the only source there, and about none of several that is not named", async () => {
    expect((await open((await vaultWith("shop")).path)).source).toBe("shop");
    const { path } = await vaultWith("shop", "shop-2", "ledger");
    await expect(open(path)).rejects.toMatchObject({
      code: "USAGE",
      message: '--source: found "none", expected one of ledger, shop, shop-2',
    });
    expect((await open(path, { source: "shop-2" })).source).toBe("shop-2");
    await expect(open((await vaultWith()).path, { trustFile: join(KEYS, "sign.pub.pem") })).rejects.toMatchObject({
      code: "NO_BACKUP",
    });
  });

  it("says whether its signatures were checked with a key from elsewhere", async () => {
    const { path } = await vaultWith("shop");
    const own = (await open(path)).report();
    expect(own).toMatchObject({ anchored: false, signingKeys: ["5e6428929af3b672d6f52e1971a3149b"], note: null });
    const safe = (await open(path, { trustFile: join(KEYS, "sign.pub.pem") })).report();
    expect(safe).toMatchObject({ anchored: true, signingKeys: own.signingKeys });
  });

  it("is not believed when the key from the safe did not sign it, and when it brings no key along", async () => {
    const { path } = await vaultWith("shop");
    const other = join(folder, "other.pub.pem");
    await writeFile(other, newSigningKey().publicKey.export({ type: "spki", format: "pem" }).toString());
    await expect(open(path, { trustFile: other })).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
    await rm(join(path, "data/keys"), { recursive: true });
    await expect(open(path)).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
  });

  it("notes each use of the private key in the vault, and none where it was only looked at", async () => {
    const { path, vault } = await vaultWith("shop");
    const { context, report } = await open(path, { keyFile: join(KEYS, "break-glass.key.pem") });
    expect(await listNotes(vault)).toEqual([]);
    const key = await context.decryptionKey();
    await context.decryptionKey();
    const [stored, ...others] = await listNotes(vault);
    expect(others).toEqual([]);
    expect(stored?.note).toMatchObject({ command: "restore", source: "shop", keyId: key.keyId });
    expect(report().note).toBe(`break-glass/${stored?.id}.json`);
  });

  it("asks for the key when something is to be opened, and refuses to write", async () => {
    const { path } = await vaultWith("shop");
    const { context } = await open(path);
    await expect(context.decryptionKey()).rejects.toMatchObject({ code: "USAGE" });
    await expect(context.signer()).rejects.toMatchObject({ code: "USAGE" });
  });
});
