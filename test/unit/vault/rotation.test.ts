import { describe, expect, it } from "vitest";
import { openBackupReader } from "../../../lib/vault/backup-reader.ts";
import { listBackups, readBackup, type ValidBackup } from "../../../lib/vault/catalogue.ts";
import type { DecryptionKey } from "../../../lib/vault/keys/key.ts";
import { revisionName, rewrapPlace } from "../../../lib/vault/names.ts";
import { readSegments } from "../../../lib/vault/segment-heads.ts";
import { listSegments } from "../../../lib/vault/segment-index.ts";
import { SegmentReader } from "../../../lib/vault/segment-reader.ts";
import type { Vault } from "../../../lib/vault/vault.ts";
import { failingVault } from "../../support/failing-vault.ts";
import { change, ship } from "../../support/memory-log.ts";
import { newVaultKey, rotate } from "../../support/rotation.ts";
import {
  collect,
  type MemoryTestVault,
  memoryVault,
  SOURCE,
  testKeys,
  tickingClock,
  writeBackup,
} from "../../support/vault-fixture.ts";
import { verifyOne } from "../../support/verify.ts";

const { trusted, decryption, breakGlass } = testKeys();
const next = newVaultKey();
const DAYS = ["2026-11-21T00:00:00Z", "2026-11-23T00:00:00Z"];

/** Two backups and a log whose segments have two data keys, one of them shared. */
async function filled(...names: string[]): Promise<[MemoryTestVault, ...MemoryTestVault[]]> {
  const vaults: [MemoryTestVault, ...MemoryTestVault[]] = [
    memoryVault(names[0] ?? "primary"),
    ...names.slice(1).map((name) => memoryVault(name)),
  ];
  for (const day of DAYS) {
    await writeBackup(vaults, { clock: tickingClock(day) });
    await ship(["one", "", "two"], vaults, tickingClock(day));
  }
  return vaults;
}

async function valid(vault: Vault): Promise<ValidBackup[]> {
  const entries = await listBackups({ vault, source: SOURCE, trusted });
  return entries.flatMap((entry) => (entry.state === "valid" ? [entry] : []));
}

/** All plain text in a vault that a key opens: rows and log. Throws where it opens any of it not. */
async function textIn(vault: Vault, key: DecryptionKey): Promise<string> {
  let text = "";
  for (const backup of await valid(vault)) {
    const reader = await openBackupReader({ vault, manifest: backup.content, keys: [key] });
    text += (await collect(reader.readBlob("rows/000001"))).toString();
  }
  const query = { vault, source: SOURCE, trusted };
  const reader = new SegmentReader(query, [key]);
  for await (const segment of readSegments(query, (await listSegments(query)).entries)) {
    if (segment.state === "valid") text += (await collect(reader.read(segment))).toString();
  }
  return text;
}

const TEXT = "1\tone\n2\ttwo\n1\tone\n2\ttwo\nonetwoonetwo";

function bytesOf(vault: MemoryTestVault): Map<string, string> {
  return new Map(Array.from(vault.storage.blobs, ([name, { bytes }]) => [name, bytes.toString("base64")]));
}

function copyOf(vault: MemoryTestVault): MemoryTestVault {
  const copy = memoryVault(vault.name);
  for (const [name, blob] of vault.storage.blobs) copy.storage.blobs.set(name, blob);
  return copy;
}

const verify = (vault: Vault, deep?: DecryptionKey) => verifyOne(vault, { trusted, ...(deep && { deep: [deep] }) });

describe("a rotation of the vault key", () => {
  it("lets the new key open everything, and changes no blob that was there", async () => {
    const [vault] = await filled();
    const before = bytesOf(vault);
    await expect(textIn(vault, next.decryption)).rejects.toMatchObject({ code: "KEY_NOT_RECIPIENT" });

    const { fulls, log, behind } = await rotate([vault], next);

    expect(fulls).toMatchObject({ revised: 2, problems: [] });
    expect(log).toEqual({ rewrapped: 2, problems: [] });
    expect(behind).toEqual([]);
    for (const key of [next.decryption, decryption, breakGlass]) expect(await textIn(vault, key)).toBe(TEXT);
    const after = bytesOf(vault);
    for (const [name, bytes] of before) expect(after.get(name)).toBe(bytes);
    expect(await verify(vault, next.decryption)).toMatchObject({ failed: 0, notLooked: 0, problems: [] });
  });

  it("names the old recipients beside the new ones, those of the newest revision first", async () => {
    const [vault] = await filled();
    await rotate([vault], next);
    const third = newVaultKey();
    await rotate([vault], third, { keys: [next.decryption] });
    const [backup] = await valid(vault);
    const ids = backup?.content.encryption.recipients.filter(({ role }) => role === "vault").map(({ keyId }) => keyId);
    expect(ids).toEqual([third.encryption.keyId, next.encryption.keyId, testKeys().recipients.vault.keyId]);
    expect(await textIn(vault, third.decryption)).toBe(TEXT);
    expect(await readBackup({ vault, source: SOURCE, trusted }, backup?.id ?? "")).toEqual(backup);
  });

  it("has nothing left to do the second time", async () => {
    const [vault] = await filled();
    await rotate([vault], next);
    const names = [...vault.storage.blobs.keys()];
    const { fulls, log } = await rotate([vault], next);
    expect([fulls.revised, log.rewrapped]).toEqual([0, 0]);
    expect([...vault.storage.blobs.keys()]).toEqual(names);
  });

  it("goes on wherever it was killed, and nothing that was readable changes meanwhile", async () => {
    const [whole] = await filled();
    const before = bytesOf(whole);
    const counted = failingVault(copyOf(whole), { failAt: Infinity });
    await rotate([counted], next);
    for (let failAt = 1; failAt <= counted.operations; failAt++) {
      const vault = copyOf(whole);
      const tookEffect = failAt % 2 === 0;
      await expect(rotate([failingVault(vault, { failAt, tookEffect })], next)).rejects.toThrow();
      const after = bytesOf(vault);
      for (const [name, bytes] of before) expect(after.get(name)).toBe(bytes);
      await rotate([vault], next);
      expect(await textIn(vault, next.decryption)).toBe(TEXT);
      expect(await verify(vault)).toMatchObject({ failed: 0, problems: [] });
    }
  });

  it("brings a vault that was behind to the same keys, and each vault stands alone", async () => {
    const [primary, offsite] = await filled("primary", "offsite");
    if (!offsite) throw new Error("no vault");
    const { behind } = await rotate([primary, failingVault(offsite, { failAt: 3 })], next);
    expect(behind).toMatchObject([{ vault: "offsite" }]);
    await rotate([primary, offsite], next);
    for (const vault of [primary, offsite]) {
      expect(await textIn(vault, next.decryption)).toBe(TEXT);
      expect(await verify(vault)).toMatchObject({ failed: 0, problems: [] });
    }
  });

  it("says by a code what no key at hand opens, and writes nothing for it", async () => {
    const [vault] = await filled();
    const names = [...vault.storage.blobs.keys()];
    const { fulls, log } = await rotate([vault], next, { keys: [newVaultKey().decryption] });
    expect(fulls.problems.map(({ error }) => error.code)).toEqual(["KEY_NOT_RECIPIENT", "KEY_NOT_RECIPIENT"]);
    expect(log.problems.map(({ error }) => error.code)).toEqual(["KEY_NOT_RECIPIENT", "KEY_NOT_RECIPIENT"]);
    expect([...vault.storage.blobs.keys()]).toEqual(names);
  });

  it("can be opened by the break-glass key when the vault key is lost", async () => {
    const [vault] = await filled();
    await rotate([vault], next, { keys: [breakGlass] });
    expect(await textIn(vault, next.decryption)).toBe(TEXT);
  });
});

describe("what a rotation wrote", () => {
  async function rotated() {
    const [vault] = await filled();
    await rotate([vault], next);
    const [first, second] = await valid(vault);
    if (!first || !second) throw new Error("no backup");
    return { vault, first, second, revision: revisionName(SOURCE, first.id, 2) };
  }

  const rewraps = (vault: MemoryTestVault) =>
    [...vault.storage.blobs.keys()].filter((name) => name.startsWith(rewrapPlace(SOURCE).prefix)).toSorted();

  it("is missed when a revision is taken away: the backup is rolled back to its old key", async () => {
    const { vault, first, revision } = await rotated();
    vault.storage.blobs.delete(revision);
    const { problems } = await verify(vault);
    expect(problems).toMatchObject([{ code: "REVISION_MISSING", blob: expect.stringContaining(first.id) }]);
  });

  it("is not believed when it was changed, or belongs to another backup, and the backup stays readable", async () => {
    const changed = await rotated();
    change(changed.vault, changed.revision, 200);
    const swapped = await rotated();
    const foreign = swapped.vault.storage.blobs.get(revisionName(SOURCE, swapped.second.id, 2));
    if (foreign) swapped.vault.storage.blobs.set(swapped.revision, foreign);
    const renamed = await rotated();
    const own = renamed.vault.storage.blobs.get(renamed.revision);
    if (own) renamed.vault.storage.blobs.set(revisionName(SOURCE, renamed.first.id, 3), own);
    for (const { vault, first } of [changed, swapped, renamed]) {
      const [backup] = await valid(vault);
      expect(backup?.id).toBe(first.id);
      expect(backup?.revisions?.[0]).toMatchObject({ state: "invalid" });
      expect(await textIn(vault, decryption)).toBe(TEXT);
      expect((await verify(vault)).failed).toBeGreaterThan(0);
    }
    expect(await textIn(renamed.vault, next.decryption)).toBe(TEXT);
  });

  it("is missed when a record of the log's data keys is taken away", async () => {
    const { vault } = await rotated();
    const [first = "", last = ""] = rewraps(vault);
    vault.storage.blobs.delete(first);
    expect((await verify(vault)).problems).toMatchObject([{ code: "CHAIN_BROKEN", blob: last }]);
  });

  it("opens nothing when a record of the log's data keys was changed", async () => {
    const { vault } = await rotated();
    const [first = ""] = rewraps(vault);
    change(vault, first, 200);
    await expect(textIn(vault, next.decryption)).rejects.toMatchObject({ code: "KEY_NOT_RECIPIENT" });
    expect(await textIn(vault, decryption)).toBe(TEXT);
    expect((await verify(vault)).problems.map(({ blob }) => blob)).toContain(first);
  });
});
