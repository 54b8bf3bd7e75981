import type { RunRecord } from "../../lib/vault/run-record.ts";
import { writeRunRecord } from "../../lib/vault/run-record.ts";
import { dataName, fullPlace, keyName, logPlace, runPlace } from "../../lib/vault/names.ts";
import type { BlobContent, Expected } from "../../lib/vault/blob-check.ts";
import type { Vault } from "../../lib/vault/vault.ts";
import { ship } from "./memory-log.ts";
import { merge } from "./merge.ts";
import { sha256Of } from "./storage-data.ts";
import {
  type MemoryTestVault,
  memoryVault,
  SOURCE,
  testKeys,
  tickingClock,
  TOOL,
  writeBackup,
} from "./vault-fixture.ts";

/** Two vaults with the same backups, log, receipts and keys, and the blobs by what they are. */
export async function twoVaults() {
  const clock = tickingClock();
  const vaults = [memoryVault("primary"), memoryVault("offsite")] as const;
  const older = await writeBackup(vaults, { clock });
  const { manifest } = await writeBackup(vaults, { clock });
  const log = await ship(["one", "two", "three", "four", "five", "six", "seven"], vaults, clock);
  const olderMerged = await mergeInBoth(vaults, log.slice(0, 2));
  const merged = await mergeInBoth(vaults, log.slice(2, 4));
  const segments = log.slice(4);
  const { signer, trusted } = testKeys(clock);
  const runs: string[] = [];
  for (const state of ["done", "failed"] as const) {
    const id = clock().toISOString().replace(/[-:.]/g, "").concat("-0000000a");
    runs.push(id);
    await writeRunRecord(runRecord(id, state), { vaults, signer, clock });
  }
  const [blob] = manifest.blobs.toReversed();
  if (blob === undefined) throw new Error("a backup without blobs");
  const keyId = signer.signingKey.keyId;
  const names = {
    data: dataName(SOURCE, manifest.id, blob.name),
    manifest: fullPlace(SOURCE).nameOf(manifest.id),
    segment: logPlace(SOURCE).nameOf(segments[1] ?? ""),
    run: runPlace(SOURCE).nameOf(runs[1] ?? ""),
    key: keyName(keyId),
    merged,
  };
  /** Of the same kind, made before: what somebody might put in its place. */
  const olderNames = {
    data: dataName(SOURCE, older.manifest.id, blob.name),
    manifest: fullPlace(SOURCE).nameOf(older.manifest.id),
    segment: logPlace(SOURCE).nameOf(segments[0] ?? ""),
    run: runPlace(SOURCE).nameOf(runs[0] ?? ""),
    key: keyName(manifest.encryption.recipients[0]?.keyId ?? ""),
    merged: olderMerged,
  };
  const expected: Record<keyof typeof names, Expected> = {
    data: pick(blob),
    manifest: "record",
    segment: "record",
    run: "record",
    key: "record",
    merged: "record",
  };
  return { clock, vaults, manifest, segments, runs, names, olderNames, expected, signer, trusted };
}

/** The name of a blob, the same in both vaults, that these segments were merged into; their own are gone. */
async function mergeInBoth([primary, offsite]: readonly [Vault, Vault], ids: readonly string[]): Promise<string> {
  const merged = await merge(primary, ids);
  await merge(offsite, ids, { vault: primary, merged });
  for (const { storage } of [primary, offsite])
    for (const id of ids) await storage.data.remove(logPlace(SOURCE).nameOf(id));
  return merged.blob.name;
}

export type BlobKind = keyof Awaited<ReturnType<typeof twoVaults>>["names"];

/** The SHA-256 of what a vault holds, by name: for comparing two of them byte for byte. */
export function contentsOf(vault: MemoryTestVault): Record<string, string> {
  const entries = Array.from(vault.storage.blobs, ([name, { bytes }]) => [name, sha256Of(bytes)] as const);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Puts other bytes in a blob's place, or none. */
export function replaceBlob(vault: MemoryTestVault, name: string, bytes: Buffer | undefined): void {
  if (bytes === undefined) vault.storage.blobs.delete(name);
  else vault.storage.blobs.set(name, { bytes, createdAt: new Date() });
}

export function bytesOf(vault: MemoryTestVault, name: string): Buffer {
  const blob = vault.storage.blobs.get(name);
  if (blob === undefined) throw new Error(`no blob ${name}`);
  return blob.bytes;
}

function pick({ sizeBytes, sha256 }: BlobContent): BlobContent {
  return { sizeBytes, sha256 };
}

function runRecord(id: string, state: RunRecord["state"]): Omit<RunRecord, "format" | "version" | "vaults"> {
  const times = { startedAt: "2026-11-21T22:00:00.000Z", finishedAt: "2026-11-21T22:01:00.000Z" };
  const policyHash = "0".repeat(64);
  return {
    source: SOURCE,
    job: "backup",
    state,
    environment: "test",
    tool: TOOL,
    policyHash,
    ...times,
    id,
    details: {},
  };
}
