import { createHash } from "node:crypto";
import type { ErrorCode } from "../core/error-codes.ts";
import { AppError, toAppError } from "../core/errors.ts";
import { noProgress, type Progress } from "../core/progress.ts";
import { type BackupReader, openBackupReader } from "./backup-reader.ts";
import { damagedBlob } from "./damaged-blob.ts";
import { type CatalogueEntry, listBackups, type ValidBackup } from "./catalogue.ts";
import { checkChain } from "./chain.ts";
import type { DecryptionKey, TrustedKeys } from "./keys/key.ts";
import type { BlobRecord } from "./manifest.ts";
import { dataName } from "./names.ts";
import type { Vault } from "./vault.ts";

export interface VerifyProblem {
  vault: string;
  /** Name of the blob in the vault. */
  blob: string;
  code: ErrorCode;
  message: string;
}

/** Counts are of blobs, manifests among them. What was not looked at is never counted as proven. */
export interface VerifyReport {
  proven: number;
  failed: number;
  notLooked: number;
  /** Read from the storage. */
  bytes: number;
  mbPerSecond: number;
  problems: VerifyProblem[];
}

export interface VerifyOptions {
  vault: Vault;
  /** Name of the source. */
  source: string;
  trusted: TrustedKeys;
  /** With private keys every chunk is also decrypted and decompressed. */
  deep?: readonly DecryptionKey[];
  /** Only this backup. */
  backup?: string | undefined;
  /** No blob is started after so many bytes. */
  maxBytes?: number | undefined;
  /** Stops the work; what was not reached is reported as not looked at. */
  signal?: AbortSignal | undefined;
  progress?: Progress;
}

/**
 * Reads back what a vault holds of a source and compares it with the signed manifests, newest backup first; follows the chain
 * of the manifests. Problems are data: it throws only where the catalogue itself can't be read, and NO_BACKUP.
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
  const report: VerifyReport = { proven: 0, failed: 0, notLooked: 0, bytes: 0, mbPerSecond: 0, problems: [] };
  const verification = new Verification(options, report, chosen);
  verifyManifests(chosen, entries, vault.name, report);
  for (const entry of chosen.toReversed()) if (entry.state === "valid") await verification.verifyBlobs(entry);
  report.mbPerSecond = Math.round((report.bytes / 1e3 / Math.max(1, performance.now() - started)) * 10) / 10;
  return report;
}

/** A manifest is proven when its signature is, and when what it says was before it is there. */
function verifyManifests(
  chosen: readonly CatalogueEntry[],
  all: readonly CatalogueEntry[],
  vault: string,
  report: VerifyReport,
): void {
  const broken = new Map(checkChain(all, vault).broken.map((link) => [link.id, link]));
  for (const entry of chosen) {
    report.bytes += entry.sizeBytes;
    const link = broken.get(entry.id);
    if (entry.state === "invalid") {
      const { code, message } = entry.error;
      addFailure(report, { vault, blob: entry.name, code, message });
    } else if (link) {
      const message = `the record before it, with SHA-256 ${link.previous}, is not there`;
      addFailure(report, { vault, blob: entry.name, code: "CHAIN_BROKEN", message });
    } else report.proven++;
  }
}

function addFailure(report: VerifyReport, problem: VerifyProblem): void {
  report.failed++;
  report.problems.push(problem);
}

class Verification {
  readonly #options: VerifyOptions;
  readonly #report: VerifyReport;
  readonly #totalBytes: number;

  constructor(options: VerifyOptions, report: VerifyReport, entries: readonly CatalogueEntry[]) {
    this.#options = options;
    this.#report = report;
    const stored = entries.map((entry) => (entry.state === "valid" ? entry.content.totals.storedBytes : 0));
    this.#totalBytes = stored.reduce((total, bytes) => total + bytes, 0);
  }

  async verifyBlobs({ content: manifest }: ValidBackup): Promise<void> {
    const { vault, deep, signal } = this.#options;
    let reader: BackupReader | undefined;
    try {
      if (deep) reader = await openBackupReader({ vault, manifest, keys: deep, signal });
    } catch (error: unknown) {
      this.#report.notLooked += manifest.blobs.length;
      this.#addProblem(dataName(manifest.source.name, manifest.id, ""), error);
      return;
    }
    for (const entry of manifest.blobs) {
      await this.#verifyBlob(dataName(manifest.source.name, manifest.id, entry.name), entry, reader);
    }
  }

  async #verifyBlob(name: string, entry: BlobRecord, reader: BackupReader | undefined): Promise<void> {
    const { signal, maxBytes = Infinity } = this.#options;
    if (signal?.aborted || this.#report.bytes >= maxBytes) {
      this.#report.notLooked++;
      return;
    }
    try {
      if (reader) await this.#open(reader, entry);
      else await this.#compare(name, entry);
      this.#report.proven++;
    } catch (error: unknown) {
      // Only what was seen to be wrong has failed; a storage that does not answer proves nothing either way.
      if (toAppError(error).kind === "verify") this.#report.failed++;
      else this.#report.notLooked++;
      if (!signal?.aborted) this.#addProblem(name, error);
    }
  }

  async #compare(name: string, entry: BlobRecord): Promise<void> {
    const { vault, signal } = this.#options;
    const hash = createHash("sha256");
    let sizeBytes = 0;
    for await (const piece of vault.storage.data.read(name, undefined, signal ? { signal } : {})) {
      hash.update(piece);
      sizeBytes += piece.length;
      this.#count(piece.length);
    }
    const found = { sizeBytes, sha256: hash.digest("hex") };
    if (found.sizeBytes === entry.sizeBytes && found.sha256 === entry.sha256) return;
    const field = found.sizeBytes === entry.sizeBytes ? "sha256" : "sizeBytes";
    throw damagedBlob(vault.name, name, `${field} ${found[field]}`, `${entry[field]}`);
  }

  async #open(reader: BackupReader, entry: BlobRecord): Promise<void> {
    const chunks = reader.readBlob(entry.name);
    while (!(await chunks.next()).done) this.#options.signal?.throwIfAborted();
    this.#count(entry.sizeBytes);
  }

  #count(bytes: number): void {
    this.#report.bytes += bytes;
    const { progress = noProgress } = this.#options;
    progress({ phase: "verifying", doneBytes: this.#report.bytes, totalBytes: this.#totalBytes });
  }

  #addProblem(blob: string, error: unknown): void {
    const { code, message } = toAppError(error);
    this.#report.problems.push({ vault: this.#options.vault.name, blob, code, message });
  }
}
