import { describe, expect, it } from "vitest";
import { mysqlEngine } from "../../../lib/sources/mysql/engine.ts";
import { formatFingerprint } from "../../../lib/sources/mysql/fingerprint.ts";
import { deepCheck } from "../../../lib/sources/deep-check.ts";
import { openBackupWriter } from "../../../lib/vault/backup-writer.ts";
import { dataName, logPlace } from "../../../lib/vault/names.ts";
import { verifySource } from "../../../lib/vault/verify.ts";
import { shipped } from "../../support/memory-log.ts";
import { contentOf, memoryVault, pieces, SOURCE, testKeys, writerOptions } from "../../support/vault-fixture.ts";
import { xxh64 } from "../../support/xxh64.ts";

const { trusted, decryption } = testKeys();
const LINES = ["1\tone", "2\ttwo"];

/** A backup of one blob with these lines, of which its manifest says what `claim` says. */
async function backupClaiming(text: string, claim: { rows?: number; fingerprint?: string }) {
  const vault = memoryVault();
  const writer = openBackupWriter(writerOptions([vault]));
  const schema = await writer.writeBlob("schema.json", pieces('{"version":1}'));
  const part = await writer.writeBlob("rows/000001", pieces(text));
  const content = contentOf(schema, [part], [LINES]);
  const blobs = content.blobs.map((blob) => (blob.role === "rows" ? { ...blob, ...claim } : blob));
  const { manifest } = await writer.commit({ ...content, blobs });
  return { vault, name: dataName(SOURCE, manifest.id, "rows/000001") };
}

async function verifyDeep(vault: Awaited<ReturnType<typeof backupClaiming>>["vault"]) {
  const deep = deepCheck([decryption], mysqlEngine);
  const now = new Date("2026-11-24T05:00:00Z");
  return (await verifySource({ vaults: [vault], source: SOURCE, trusted, deep, now })).report;
}

const FINGERPRINT = formatFingerprint(LINES.reduce((sum, line) => sum + xxh64(Buffer.from(line)), 0n));
const TEXT = LINES.map((line) => `${line}\n`).join("");

describe("a deep verification", () => {
  it("proves rows whose count and fingerprint are what the manifest says", async () => {
    const { vault } = await backupClaiming(TEXT, { fingerprint: FINGERPRINT });
    expect(await verifyDeep(vault)).toMatchObject({ proven: 3, failed: 0, problems: [] });
  });

  it.each([
    ["another fingerprint", TEXT, { fingerprint: "00000000000000ff" }, "fingerprint"],
    ["another count", TEXT, { fingerprint: FINGERPRINT, rows: 3 }, "rows 2"],
    ["a last row without its end", TEXT.slice(0, -1), { fingerprint: FINGERPRINT }, "bytes after its last row"],
  ])("finds %s, which size and hash do not tell", async (_what, text, claim, message) => {
    const { vault, name } = await backupClaiming(text, claim);
    const { proven, failed, problems } = await verifyDeep(vault);
    expect({ proven, failed }).toEqual({ proven: 2, failed: 1 });
    expect(problems).toMatchObject([{ blob: name, code: "BLOB_DAMAGED" }]);
    expect(problems[0]?.message).toContain(message);
  });

  it("finds a segment whose data is no log", async () => {
    const { vault, ids } = await shipped(["this is no binary log"]);
    const { problems } = await verifyDeep(vault);
    expect(problems).toMatchObject([{ blob: logPlace(SOURCE).nameOf(ids[0] ?? ""), code: "MANIFEST_INVALID" }]);
  });
});
