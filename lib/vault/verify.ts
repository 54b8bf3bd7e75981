import { AppError } from "../core/errors.ts";
import type { Progress } from "../core/progress.ts";
import { type BackupReader, openBackupReader } from "./backup-reader.ts";
import { type CatalogueEntry, listBackups, type ValidBackup } from "./catalogue.ts";
import { type ChainReport, followChain } from "./chain.ts";
import { compareBlob } from "./compare-blob.ts";
import type { DecryptionKey, TrustedKeys } from "./keys/key.ts";
import type { BlobRecord } from "./manifest.ts";
import { dataName } from "./names.ts";
import type { Vault } from "./vault.ts";
import { verifyKeyRecords } from "./verify-keys.ts";
import { type VerifyReport, VerifyTally } from "./verify-report.ts";
import { listSegmentBlobs } from "./segment-blobs.ts";
import { verifySegments } from "./verify-segments.ts";

export interface VerifyOptions {
  vault: Vault;
  /** Name of the source. */
  source: string;
  trusted: TrustedKeys;
  /** With private keys every chunk is also decrypted and decompressed. */
  deep?: readonly DecryptionKey[];
  /** Only this backup, without the log. */
  backup?: string | undefined;
  /** No blob is started after so many bytes. */
  maxBytes?: number | undefined;
  /** Stops the work; what was not reached is reported as not looked at. */
  signal?: AbortSignal | undefined;
  progress?: Progress;
}

/**
 * Reads back what a vault holds of a source and compares it with the signed manifests, newest backup first, then the log;
 * follows the chains of both. Problems are data: it throws only where the catalogue itself can't be read, and NO_BACKUP.
 */
export async function verifyVault(options: VerifyOptions): Promise<VerifyReport> {
  const started = performance.now();
  const { vault, source, trusted, signal } = options;
  const entries = await listBackups({ vault, source, trusted, ...(signal && { signal }) });
  const chosen = options.backup === undefined ? entries : entries.filter(({ id }) => id === options.backup);
  if (options.backup !== undefined && chosen.length === 0) {
    throw new AppError("NO_BACKUP", `vault ${vault.name}: source "${source}" has no backup ${options.backup}`, {
      hint: "`resguardo list` shows the backups of each vault.",
    });
  }
  const tally = new VerifyTally({ vault: vault.name, maxBytes: options.maxBytes, signal, progress: options.progress });
  const query = { vault, source, trusted, ...(signal && { signal }) };
  const segments = options.backup === undefined ? await Array.fromAsync(listSegmentBlobs(query)) : [];
  tally.totalBytes = bytesOf(chosen) + segments.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
  verifyManifests(chosen, await followChain(entries, query), tally);
  for (const entry of chosen.toReversed()) if (entry.state === "valid") await verifyBackup(options, entry, tally);
  await verifySegments(query, segments, options.deep, tally);
  if (options.backup === undefined && !tally.isOver) await verifyKeyRecords(query, entries, tally);
  const { report } = tally;
  report.mbPerSecond = Math.round((report.bytes / 1e3 / Math.max(1, performance.now() - started)) * 10) / 10;
  return report;
}

function bytesOf(entries: readonly CatalogueEntry[]): number {
  const stored = entries.map((entry) => (entry.state === "valid" ? entry.content.totals.storedBytes : 0));
  return stored.reduce((total, bytes) => total + bytes, 0);
}

/** A manifest is proven when its signature is, and when what it says was before it is there. */
function verifyManifests(chosen: readonly CatalogueEntry[], chain: ChainReport, tally: VerifyTally): void {
  const broken = new Map(chain.broken.map((link) => [link.id, link]));
  for (const entry of chosen) {
    tally.report.bytes += entry.sizeBytes;
    const link = broken.get(entry.id);
    if (entry.state === "invalid") tally.fail(entry.name, entry.error.code, entry.error.message);
    else if (link) {
      tally.fail(
        entry.name,
        "CHAIN_BROKEN",
        `the record before it, with SHA-256 ${link.previous.join(" or ")}, is not there`,
      );
    } else tally.report.proven++;
  }
}

async function verifyBackup(options: VerifyOptions, entry: ValidBackup, tally: VerifyTally): Promise<void> {
  const { vault, deep, signal } = options;
  const manifest = entry.content;
  let reader: BackupReader | undefined;
  try {
    if (deep) reader = await openBackupReader({ vault, manifest, keys: deep, signal });
  } catch (error: unknown) {
    tally.report.notLooked += manifest.blobs.length;
    tally.addProblem(dataName(manifest.source.name, manifest.id, ""), error);
    return;
  }
  for (const blob of manifest.blobs) {
    if (tally.isOver) tally.report.notLooked++;
    else await verifyBlob(options, dataName(manifest.source.name, manifest.id, blob.name), blob, reader, tally);
  }
}

async function verifyBlob(
  { vault, signal }: VerifyOptions,
  name: string,
  entry: BlobRecord,
  reader: BackupReader | undefined,
  tally: VerifyTally,
): Promise<void> {
  try {
    if (reader) {
      const chunks = reader.readBlob(entry.name);
      while (!(await chunks.next()).done) signal?.throwIfAborted();
      tally.read(entry.sizeBytes);
    } else await compareBlob({ vault, name, offset: 0 }, entry, { signal, onRead: (bytes) => tally.read(bytes) });
    tally.report.proven++;
  } catch (error: unknown) {
    tally.judge(name, error);
  }
}
