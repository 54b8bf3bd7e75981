import { describe, expect, it } from "vitest";
import { change, shipped } from "../../support/memory-log.ts";
import { type MemoryTestVault, testKeys, writeBackup } from "../../support/vault-fixture.ts";
import { verifyOne as verify } from "../../support/verify.ts";

const { decryption } = testKeys();

describe("verify, of log segments", () => {
  it("proves every segment, empty ones too, and counts each byte of them", async () => {
    const { vault } = await shipped(["one", "", "three"]);
    await writeBackup([vault]);
    const stored = Array.from(vault.storage.blobs).filter(([name]) => !name.startsWith("keys/"));
    const bytes = stored.reduce((total, [, blob]) => total + blob.bytes.length, 0);
    for (const deep of [undefined, [decryption]]) {
      const report = await verify(vault, deep && { deep });
      expect(report).toMatchObject({ proven: 4 + 3, failed: 0, notLooked: 0, bytes, problems: [] });
    }
  });

  it("finds changed data, a changed manifest and a blob that is cut", async () => {
    const damages: [code: string, (vault: MemoryTestVault, name: string) => void][] = [
      ["BLOB_DAMAGED", (vault, name) => change(vault, name, -1)],
      [
        "SIGNATURE_INVALID",
        (vault, name) => {
          const bytes = vault.storage.blobs.get(name)?.bytes ?? Buffer.alloc(0);
          const at = bytes.indexOf('"signature": "') + '"signature": "'.length;
          bytes[at] = bytes[at] === 65 ? 66 : 65;
        },
      ],
      ["BLOB_DAMAGED", (vault, name) => change(vault, name, 0)],
      [
        "BLOB_DAMAGED",
        (vault, name) => {
          const blob = vault.storage.blobs.get(name);
          if (blob) vault.storage.blobs.set(name, { ...blob, bytes: blob.bytes.subarray(0, -1) });
        },
      ],
    ];
    for (const [code, damage] of damages) {
      const { vault, names } = await shipped(["one", "two", "three"]);
      damage(vault, names[1] ?? "");
      const report = await verify(vault);
      expect(report).toMatchObject({ proven: 2, failed: 1, notLooked: 0 });
      expect(report.problems).toMatchObject([{ vault: "primary", blob: names[1], code }]);
    }
  });

  it("says by the private key which chunk is forged", async () => {
    const { vault, names } = await shipped(["one", "two"]);
    change(vault, names[0] ?? "", -1);
    const report = await verify(vault, { deep: [decryption] });
    expect(report).toMatchObject({ proven: 1, failed: 1, problems: [{ blob: names[0], code: "CHUNK_FORGED" }] });
  });

  it("reports a segment that is not there, once, and none before a start", async () => {
    const { vault, names } = await shipped(["one", "two", "three"]);
    await shipped(["a new chain"], vault);
    expect(await verify(vault)).toMatchObject({ proven: 4, failed: 0 });
    vault.storage.blobs.delete(names[1] ?? "");
    const problems = [{ vault: "primary", blob: names[1], code: "LOG_GAP" }];
    expect(await verify(vault)).toMatchObject({ proven: 3, failed: 1, problems });
  });

  it("does not count as proven what a foreign key or the end of the budget kept it from", async () => {
    const { vault } = await shipped(["one", "two"]);
    const foreign = await verify(vault, { deep: [] });
    expect(foreign).toMatchObject({ proven: 0, failed: 0, notLooked: 2 });
    expect(foreign.problems[0]).toMatchObject({ code: "KEY_NOT_RECIPIENT" });
    expect(await verify(vault, { maxBytes: 0 })).toMatchObject({ proven: 0, failed: 0, notLooked: 2, problems: [] });
  });
});
