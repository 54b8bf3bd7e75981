import { type AppError, type ErrorReport, reportError, toAppError } from "../core/errors.ts";
import { noProgress, type Progress } from "../core/progress.ts";
import type { Clock } from "../core/time.ts";
import type { Expected } from "./blob-check.ts";
import { readBackup, type ValidBackup } from "./catalogue.ts";
import { copyBlob } from "./copy-blob.ts";
import { healBlob } from "./heal.ts";
import type { SessionSigner } from "./keys/session-key.ts";
import { findLack, type LackedBlob, type LackQuery } from "./lack.ts";
import { mapInOrder } from "./map-in-order.ts";
import type { BlobRecord } from "./manifest.ts";
import { dataName, fullPlace, idOfBlob, idOfRecord } from "./names.ts";
import { isGoneForGood, listRemovals } from "./removal.ts";
import { segmentIdsInName } from "./segment-blobs.ts";
import type { Vault } from "./vault.ts";

/*
 * What a vault lacks is copied as it lies in the others, sealed: log segments, then other records and keys, then backups, the newest
 * first. Of a backup the data comes first, each blob read back where it landed, and the manifest last, if absent. So a copy that
 * is killed leaves whole segments, whole backups, and data without a manifest, which the next one finds and goes on with.
 */

export interface CatchUpRequest extends LackQuery {
  signer: SessionSigner;
  clock: Clock;
  progress?: Progress;
  /** Told why bytes pass through this process instead of going from storage to storage. */
  onStreaming?: (error: AppError) => void;
}

export interface CatchUpReport {
  vault: string;
  backups: number;
  /** Blobs of the log, merged ones among them. */
  segments: number;
  /** Receipts, keys and other signed records. */
  records: number;
  /** Data blobs of the backups. */
  blobs: number;
  bytes: number;
  /** What is not there because it was removed on purpose. */
  removed: number;
  /** What no vault has whole: it stays missing, and is known to be bad. */
  lost: { blob: string; error: ErrorReport }[];
  /** What could not be copied this time. */
  problems: { blob: string; error: ErrorReport }[];
}

const SEGMENTS_IN_FLIGHT = 8;
const DATA_BLOBS_IN_FLIGHT = 4;

/**
 * Brings one vault up to what the others hold. What can't be copied is a problem in the report, and the rest is copied all the
 * same. Throws STORAGE_UNAVAILABLE and STORAGE_FULL, where going on would only repeat them, and the signal's reason.
 */
export async function catchUp(request: CatchUpRequest): Promise<CatchUpReport> {
  const lack = await findLack(request);
  return new CatchUp(request, lack.removed, lack.blobs).run();
}

class CatchUp {
  readonly #request: CatchUpRequest;
  readonly #missing: readonly LackedBlob[];
  readonly #report: CatchUpReport;
  #totalBytes: number;

  constructor(request: CatchUpRequest, removed: number, missing: readonly LackedBlob[]) {
    this.#request = request;
    this.#missing = missing;
    this.#totalBytes = missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const nothing = { backups: 0, segments: 0, records: 0, blobs: 0, bytes: 0 };
    this.#report = { vault: request.to.name, ...nothing, removed, lost: [], problems: [] };
  }

  async run(): Promise<CatchUpReport> {
    const { source } = this.#request;
    const backups: LackedBlob[] = [];
    const segments: LackedBlob[] = [];
    const records: LackedBlob[] = [];
    for (const blob of this.#missing) {
      if (idOfRecord(fullPlace(source), blob.name) !== undefined) backups.push(blob);
      else if (segmentIdsInName(source, blob.name) !== undefined) segments.push(blob);
      else if (blob.name.endsWith(".json")) records.push(blob);
    }
    await this.#copyEach(segments, "segments");
    // Also what was written beside a manifest later: nobody sees it before the manifest stands.
    await this.#copyEach(records, "records");
    for (const manifest of backups.toReversed()) await this.#copyBackup(manifest);
    return this.#report;
  }

  async #copyEach(missing: readonly LackedBlob[], counter: "segments" | "records"): Promise<void> {
    const copyNext = async ({ name, holders }: LackedBlob): Promise<void> => {
      if (await this.#copy(name, holders, "record")) this.#report[counter]++;
    };
    await Array.fromAsync(mapInOrder(missing, SEGMENTS_IN_FLIGHT, copyNext));
  }

  async #copyBackup({ name, holders }: LackedBlob): Promise<void> {
    const { source, to, trusted, signal } = this.#request;
    const id = idOfRecord(fullPlace(source), name) ?? "";
    const manifest = await this.#readManifest(id, name, holders);
    if (manifest === undefined) return;
    this.#totalBytes += manifest.content.totals.storedBytes;
    const copyNext = async (blob: BlobRecord): Promise<boolean> => {
      const { sizeBytes, sha256 } = blob;
      const isThere = await this.#copy(dataName(source, id, blob.name), holders, { sizeBytes, sha256 });
      if (isThere) this.#report.blobs++;
      return isThere;
    };
    const copied = await Array.fromAsync(mapInOrder(manifest.content.blobs, DATA_BLOBS_IN_FLIGHT, copyNext));
    if (!copied.every(Boolean)) return;
    // It may have been removed on purpose while it was copied.
    const removals = await listRemovals({ vault: to, source, trusted, wanted: [id], ...(signal && { signal }) });
    if (removals.has(id)) this.#report.removed++;
    else if (await this.#copy(name, holders, "record")) this.#report.backups++;
  }

  /** From the first vault that has it whole. */
  async #readManifest(id: string, name: string, holders: readonly Vault[]): Promise<ValidBackup | undefined> {
    const { source, trusted, signal } = this.#request;
    let error: ErrorReport | undefined;
    for (const vault of holders) {
      const backup = await readBackup({ vault, source, trusted, ...(signal && { signal }) }, id);
      if (backup?.state === "valid") return backup;
      error ??= backup?.error;
    }
    // Removed since it was listed, where nothing is wrong with it.
    if (error) this.#report.problems.push({ blob: name, error });
    return undefined;
  }

  /** Whether the blob stands in the vault now, read back. */
  async #copy(name: string, holders: readonly Vault[], expected: Expected): Promise<boolean> {
    const { progress = noProgress, signal } = this.#request;
    signal?.throwIfAborted();
    try {
      const isThere = await this.#copyOrHeal(name, holders, expected);
      progress({ phase: "copying", doneBytes: this.#report.bytes, totalBytes: this.#totalBytes });
      return isThere;
    } catch (error: unknown) {
      signal?.throwIfAborted();
      const { code, kind } = toAppError(error);
      if (code === "STORAGE_UNAVAILABLE" || code === "STORAGE_FULL" || !["storage", "verify"].includes(kind))
        throw error;
      this.#report.problems.push({ blob: name, error: reportError(error) });
      return false;
    }
  }

  async #copyOrHeal(name: string, holders: readonly Vault[], expected: Expected): Promise<boolean> {
    const { to, others } = this.#request;
    const request = { ...this.#request, name, expected };
    const [from] = holders;
    if (from === undefined) return false;
    try {
      const { sizeBytes } = await copyBlob({ ...request, from });
      this.#report.bytes += sizeBytes;
      return true;
    } catch (error: unknown) {
      // One of the two is bad: that is looked into, and healed where it can be.
      if (toAppError(error).kind !== "verify") throw error;
      if (await this.#wasRemoved(name, holders)) return false;
      const outcome = await healBlob({ ...request, vault: to, others, reason: reportError(error) });
      if (outcome.state === "removed") this.#report.removed++;
      if (outcome.state === "lost") this.#report.lost.push({ blob: name, error: outcome.error });
      if (outcome.state === "unhealed") this.#report.problems.push({ blob: name, error: outcome.error });
      return outcome.state === "good" || outcome.state === "healed";
    }
  }

  /** Retention may have taken it out of the vault that had it, after it was listed there. */
  async #wasRemoved(name: string, holders: readonly Vault[]): Promise<boolean> {
    const id = idOfBlob(this.#request.source, name) ?? "";
    for (const vault of holders) {
      const removals = await listRemovals({ ...this.#request, vault, wanted: [id] });
      if (!isGoneForGood(removals.get(id))) continue;
      this.#report.removed++;
      return true;
    }
    return false;
  }
}
