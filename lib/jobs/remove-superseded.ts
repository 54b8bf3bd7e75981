import { type ErrorReport, reportError, toAppError } from "../core/errors.ts";
import type { WorkContext } from "../sources/work.ts";
import { findSuperseded, removeSuperseded } from "../vault/merged-originals.ts";
import { readProofs } from "../vault/proofs.ts";
import { listSegmentBlobs, type SegmentBlobQuery } from "../vault/segment-blobs.ts";
import { readLogContents } from "../vault/segment-index.ts";
import type { Vault } from "../vault/vault.ts";
import { mergeOptions } from "./compact-job.ts";

export interface SupersededReport {
  /** Segments whose own blobs were removed. */
  segments: number;
  bytes: number;
  /** Merged blobs that no verification has proven yet since they were written. */
  waiting: number;
  /** Segments whose own blobs the storage still protects. */
  notBefore: number;
  /** Merged blobs that are not whole any more: what they were merged from stays. */
  problems: ErrorReport[];
}

/**
 * Removes from one vault what merged blobs have made superfluous, each announced by a signed record. Throws what the storage
 * throws: STORAGE_REFUSED where the right to remove is missing.
 */
export async function removeMergedOriginals(work: WorkContext, vault: Vault): Promise<SupersededReport> {
  const { context, source, logger, signal } = work;
  const options = await mergeOptions(context, source, vault, signal);
  const contents = await readLogContents(options);
  const proofs = await readProofs({ ...options, now: context.clock() });
  const report: SupersededReport = { segments: 0, bytes: 0, waiting: 0, notBefore: 0, problems: [] };
  const locked = await protectedIds(options);
  for (const superseded of findSuperseded(source.name, contents, proofs)) {
    if (!superseded.isProven) {
      report.waiting++;
      continue;
    }
    const segments = superseded.segments.filter(({ id }) => !locked.has(id));
    report.notBefore += superseded.segments.length - segments.length;
    if (segments.length === 0) continue;
    try {
      const removal = await removeSuperseded(options, { ...superseded, segments });
      const bytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      report.segments += segments.length;
      report.bytes += bytes;
      const { name } = superseded.merged.blob;
      logger.info("removed", { vault: vault.name, removal, items: segments.length, bytes, mergedInto: name });
    } catch (error: unknown) {
      signal.throwIfAborted();
      if (toAppError(error).kind !== "verify") throw error;
      report.problems.push(reportError(error));
    }
  }
  return report;
}

/** The segments whose own blobs can't be removed yet, by what the storage says. */
async function protectedIds(query: SegmentBlobQuery): Promise<Set<string>> {
  const now = await query.vault.storage.now();
  const ids = new Set<string>();
  for await (const { lastId, mergedId, immutableUntil, legalHold } of listSegmentBlobs(query)) {
    const isLocked = legalHold === true || (immutableUntil !== undefined && immutableUntil > now);
    if (isLocked && mergedId === undefined) ids.add(lastId);
  }
  return ids;
}
