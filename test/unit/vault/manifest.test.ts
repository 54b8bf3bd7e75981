import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openBackupReader } from "../../../lib/vault/backup-reader.ts";
import { listBackups } from "../../../lib/vault/catalogue.ts";
import { type Manifest, manifestKind } from "../../../lib/vault/manifest.ts";
import { collect, memoryVault, SOURCE, testKeys, writeBackup } from "../../support/vault-fixture.ts";

const GOLDEN = new URL("../../golden/", import.meta.url);
const ID = "20261121T230413123Z-92b3bb16";
const golden = JSON.parse(readFileSync(new URL("manifest-v1.json", GOLDEN), "utf8")) as Manifest;
const { trusted, decryption, breakGlass } = testKeys();

/** The golden vault, as the memory storage holds it. */
function goldenVault() {
  const vault = memoryVault();
  const files = ["full/ID/manifest.json", "data/ID/schema.json", "data/ID/rows/000001", "data/ID/rows/000002"];
  for (const file of files) {
    const name = `${SOURCE}/${file.replace("ID", ID)}`;
    const bytes = readFileSync(fileURLToPath(new URL(`vault-v1/${name}`, GOLDEN)));
    vault.storage.blobs.set(name, { bytes, createdAt: new Date("2026-11-21T23:04:14Z") });
  }
  return vault;
}

/** Every field by its path, with the type of its value: `blobs[].rows: number`. */
function shapeOf(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => shapeOf(item, `${path}[]`));
  if (value === null || typeof value !== "object") return [`${path}: ${value === null ? "null" : typeof value}`];
  return Object.entries(value).flatMap(([key, item]) => shapeOf(item, `${path}.${key}`));
}

function parse(change: object): unknown {
  return manifestKind.parse({ ...golden, ...change }, "shop/full/x/manifest.json");
}

describe("manifest version 1", () => {
  it("is read from the golden vault, field by field", async () => {
    const [entry] = await listBackups({ vault: goldenVault(), source: SOURCE, trusted });
    expect(entry).toMatchObject({ state: "valid", id: ID, content: golden });
    expect(entry?.state === "valid" && entry.content).toEqual(golden);
  });

  it("opens the golden blobs with either private key", async () => {
    for (const key of [decryption, breakGlass]) {
      const reader = await openBackupReader({ vault: goldenVault(), manifest: golden, keys: [key] });
      const texts = await Promise.all(
        golden.blobs.map(async ({ name }) => (await collect(reader.readBlob(name))).toString()),
      );
      expect(texts).toEqual(['{"version":1}', "1\tone\n2\ttwo\n", "3\t\\N\n"]);
    }
  });

  it("is still written with every field that it had, of the same type", async () => {
    const { manifest } = await writeBackup([memoryVault()], { tag: "v1.0.0" });
    const written = new Set(shapeOf(manifest));
    expect(shapeOf(golden).filter((field) => !written.has(field))).toEqual([]);
  });

  it("is refused when a newer version wrote it, whatever its fields are", () => {
    expect(() => parse({ version: 2, blobs: "elsewhere" })).toThrow(
      expect.objectContaining({ code: "MANIFEST_VERSION" }),
    );
  });

  it.each([
    ["another format", { format: "other" }],
    ["a version of 0", { version: 0 }],
    ["another kind", { kind: "increment" }],
    ["no blobs", { blobs: undefined }],
    ["a negative size", { blobs: [{ ...golden.blobs[0], sizeBytes: -1 }] }],
    ["a size that no number holds exactly", { blobs: [{ ...golden.blobs[0], sizeBytes: 2 ** 53 }] }],
    ["an unknown role", { blobs: [{ ...golden.blobs[0], role: "secret" }] }],
    ["a blob outside its folder", { blobs: [{ ...golden.blobs[0], name: "../../other/data" }] }],
    ["an absolute blob name", { blobs: [{ ...golden.blobs[0], name: "/etc/passwd" }] }],
    ["no recipient", { encryption: { ...golden.encryption, recipients: [] } }],
    ["another cipher", { encryption: { ...golden.encryption, cipher: "none" } }],
    ["a time that is none", { consistentAt: "yesterday" }],
  ])("is refused with %s", (_what, change) => {
    expect(() => parse(change)).toThrow(expect.objectContaining({ code: "MANIFEST_INVALID" }));
  });

  it("names the wrong fields, not their values", () => {
    expect(() => parse({ environment: 7, policyHash: null })).toThrow(/wrong environment, policyHash$/);
  });
});
