import { generateKeyPairSync, randomBytes } from "node:crypto";
import { cp, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBackupWriter } from "../../../lib/vault/backup-writer.ts";
import { openDirectoryVault } from "../../../lib/vault/storage/directory.ts";
import { keyIdOf } from "../../../lib/vault/keys/key.ts";
import { rotate } from "../../support/rotation.ts";
import { restoreByHand } from "../../support/restore-by-hand.ts";
import { contentOf, pieces, SOURCE, writerOptions } from "../../support/vault-fixture.ts";

const GOLDEN = fileURLToPath(new URL("../../golden/", import.meta.url));
const BREAK_GLASS = join(GOLDEN, "keys", "break-glass.key.pem");
const SIGN = join(GOLDEN, "keys", "sign.pub.pem");
const GOLDEN_ID = "20261121T230413123Z-92b3bb16";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "resguardo-by-hand-"));
});

afterAll(() => rm(folder, { recursive: true }));

async function goldenCopy(): Promise<{ dataFolder: string; out: string; blob: (name: string) => string }> {
  const dataFolder = await mkdtemp(join(folder, "vault-"));
  await cp(join(GOLDEN, "vault-v1"), dataFolder, { recursive: true });
  const blob = (name: string) => join(dataFolder, SOURCE, "data", GOLDEN_ID, name);
  return { dataFolder, out: await mkdtemp(join(folder, "out-")), blob };
}

function restoreGolden(
  vault: { dataFolder: string; out: string },
  more: Partial<Parameters<typeof restoreByHand>[0]> = {},
) {
  return restoreByHand({
    ...vault,
    source: SOURCE,
    backupId: GOLDEN_ID,
    privateKey: BREAK_GLASS,
    signingKey: SIGN,
    ...more,
  });
}

describe("a restore by an independent program", () => {
  it("reads the golden backup with the break-glass key", async () => {
    const vault = await goldenCopy();
    const printed = await restoreGolden(vault);
    expect(printed).toContain("consistent at 2026-11-21T23:04:14.000123Z");
    expect(await readFile(join(vault.out, "schema.json"), "utf8")).toBe('{"version":1}');
    expect(await readFile(join(vault.out, "rows/000001"), "utf8")).toBe("1\tone\n2\ttwo\n");
    expect(await readFile(join(vault.out, "rows/000002"), "utf8")).toBe("3\t\\N\n");
  });

  it("reads it with the vault key too, and names the signing key that the vault brings along", async () => {
    const vault = await goldenCopy();
    const privateKey = join(GOLDEN, "keys", "encrypt.key.pem");
    const printed = await restoreByHand({ ...vault, source: SOURCE, backupId: GOLDEN_ID, privateKey });
    expect(printed).toContain("signed by key 5e6428929af3b672d6f52e1971a3149b");
  });

  it("reads it with a key that came after it, and refuses a revision that is not its own", async () => {
    const vault = await goldenCopy();
    const path = await mkdtemp(join(folder, "vault-"));
    const storage = openDirectoryVault("primary", path);
    await storage.prepare();
    const privateKey = join(vault.out, "next.key.pem");
    const pair = generateKeyPairSync("rsa", { modulusLength: 3072 });
    await writeFile(privateKey, pair.privateKey.export({ type: "pkcs8", format: "pem" }));
    const writer = openBackupWriter(writerOptions([{ name: "primary", storage }]));
    const schema = await writer.writeBlob("schema.json", pieces("{}"));
    await writer.commit(contentOf(schema, [], []));
    const encryption = { keyId: keyIdOf(pair.publicKey), publicKey: pair.publicKey };
    const { fulls } = await rotate([{ name: "primary", storage }], { encryption });
    expect(fulls.revised).toBe(1);
    const rotated = { dataFolder: join(path, "data"), out: vault.out };

    const printed = await restoreGolden(rotated, { backupId: writer.id, privateKey });

    expect(printed).toContain("manifest-0002.json signed by key");
    expect(await readFile(join(vault.out, "schema.json"), "utf8")).toBe("{}");
    const foreign = join(rotated.dataFolder, SOURCE, "full", writer.id, "manifest-0002.json");
    await cp(foreign, join(vault.dataFolder, SOURCE, "full", GOLDEN_ID, "manifest-0002.json"));
    await expect(restoreGolden(vault)).rejects.toThrow("no resguardo-revision of this backup");
  });

  it("reads many chunks of every byte as they were written by this version", async () => {
    const path = await mkdtemp(join(folder, "vault-"));
    const storage = openDirectoryVault("primary", path);
    await storage.prepare();
    const writer = openBackupWriter(writerOptions([{ name: "primary", storage }]));
    const rows = Buffer.concat([randomBytes(5_000_000), Buffer.alloc(9_000_000, "\0\t\\\n"), Buffer.from([0])]);
    const schema = await writer.writeBlob("schema.json", pieces("{}"));
    const entry = await writer.writeBlob("rows/000001", pieces(rows.subarray(0, 1_000_000), rows.subarray(1_000_000)));
    expect(entry.chunks).toBe(5);
    await writer.commit(contentOf(schema, [entry], [[]]));
    const out = await mkdtemp(join(folder, "out-"));
    await restoreGolden({ dataFolder: join(path, "data"), out }, { backupId: writer.id });
    expect((await readFile(join(out, "rows/000001"))).equals(rows)).toBe(true);
  });

  it("refuses a changed blob, a swapped blob and an edited manifest", async () => {
    const damaged = await goldenCopy();
    const bytes = await readFile(damaged.blob("rows/000001"));
    bytes[50] = (bytes[50] ?? 0) ^ 1;
    await writeFile(damaged.blob("rows/000001"), bytes);
    await expect(restoreGolden(damaged)).rejects.toThrow("rows/000001: damaged");

    const swapped = await goldenCopy();
    await rename(swapped.blob("rows/000002"), swapped.blob("rows/000001"));
    await expect(restoreGolden(swapped)).rejects.toThrow("rows/000001: damaged");

    const edited = await goldenCopy();
    const manifest = join(edited.dataFolder, SOURCE, "full", GOLDEN_ID, "manifest.json");
    const record = JSON.parse(await readFile(manifest, "utf8")) as { payload: string };
    const content = JSON.parse(Buffer.from(record.payload, "base64url").toString()) as object;
    const payload = Buffer.from(JSON.stringify({ ...content, tables: [] })).toString("base64url");
    await writeFile(manifest, JSON.stringify({ ...record, payload }));
    await expect(restoreGolden(edited)).rejects.toThrow("InvalidSignature");
  });
});
