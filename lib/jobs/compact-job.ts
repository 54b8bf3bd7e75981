import { type ErrorReport, reportError, toAppError } from "../core/errors.ts";
import { findSource } from "../core/policy.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import { parseDuration } from "../core/time.ts";
import type { Work } from "../sources/work.ts";
import { compactVault, type MergeStep, stepsFor, type VaultLog } from "../vault/compact-vault.ts";
import { type Context, vaultsOf } from "../vault/context.ts";
import type { MergeOptions } from "../vault/merge-segments.ts";
import { readLogContents } from "../vault/segment-index.ts";
import type { Vault } from "../vault/vault.ts";

/** What would be merged in one vault now. */
export interface PlannedCompaction {
  source: string;
  vault: string;
  /** Merged blobs that would be written. */
  blobs: number;
  segments: number;
  bytes: number;
  /** The vault could not be read. */
  error?: ErrorReport;
}

/**
 * The job that merges small segments, in each vault on its own. It only adds: the segments' own blobs are retention's to remove.
 * Fails where a vault could not be read or written.
 */
export const compactWork: Work = async ({ context, source, logger, signal }) => {
  const started = performance.now();
  const before = mergeBefore(context, source);
  const { logs, problems } = await readLogs(context, source, signal);
  const figures = { blobs: 0, segments: 0, bytes: 0, damaged: 0 };
  for (const log of logs) {
    const vault = log.vault.name;
    try {
      const options = await mergeOptions(context, source, log.vault, signal);
      const report = await compactVault(options, stepsOf(log, logs, before));
      // So the next vault makes the same blobs.
      log.contents.merged.push(...report.merged);
      figures.blobs += report.merged.length;
      figures.segments += report.merged.reduce((sum, { parts }) => sum + parts.length, 0);
      figures.bytes += report.merged.reduce((sum, { blob }) => sum + blob.sizeBytes, 0);
      figures.damaged += report.damaged.length;
      for (const { id, error } of report.damaged) logger.error("segment-damaged", { vault, id, ...error });
    } catch (error: unknown) {
      signal.throwIfAborted();
      problems.push({ vault, error: reportError(error) });
    }
  }
  const [first] = problems;
  const seconds = (performance.now() - started) / 1000;
  const behind = problems.map(({ vault }) => vault).join(", ") || null;
  return { figures: { ...figures, seconds, behind }, ...(first && { error: first.error }) };
};

/** What is to be merged now, in each vault of the wanted sources. Throws SOURCE_UNKNOWN. */
export async function planCompactions(
  context: Context,
  sourceName: string | undefined,
  signal: AbortSignal,
): Promise<PlannedCompaction[]> {
  const { policy } = context;
  const sources = sourceName === undefined ? policy.sources : [findSource(policy, sourceName)];
  const planned: PlannedCompaction[] = [];
  for (const source of sources) {
    const before = mergeBefore(context, source);
    const { logs, problems } = await readLogs(context, source, signal);
    for (const log of logs) {
      const steps = stepsOf(log, logs, before);
      const segments = steps.flatMap((step) => step.segments);
      const bytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      planned.push({
        source: source.name,
        vault: log.vault.name,
        blobs: steps.length,
        segments: segments.length,
        bytes,
      });
    }
    for (const { vault, error } of problems) {
      planned.push({ source: source.name, vault, blobs: 0, segments: 0, bytes: 0, error });
    }
  }
  return planned;
}

/** What signs and describes the merged blobs of one vault. */
export async function mergeOptions(
  context: Context,
  source: SourcePolicy,
  vault: Vault,
  signal: AbortSignal,
): Promise<MergeOptions> {
  const { clock, policy, policyHash, tool } = context;
  const trusted = await context.trustedKeys();
  const signer = await context.signer();
  const { environment } = policy;
  return { vault, source: source.name, trusted, signal, signer, clock, environment, tool, policyHash };
}

/** Undefined where nothing is to be merged. */
function mergeBefore({ clock }: Context, { log }: SourcePolicy): Date | undefined {
  if (log.compactAfter === "never") return undefined;
  return new Date(clock().getTime() - parseDuration(log.compactAfter));
}

function stepsOf(log: VaultLog, logs: readonly VaultLog[], before: Date | undefined): MergeStep[] {
  const others = logs.filter((other) => other !== log);
  return before === undefined ? [] : stepsFor(log, others, before);
}

/** The log in each vault that answers. */
async function readLogs(context: Context, source: SourcePolicy, signal: AbortSignal) {
  const trusted = await context.trustedKeys();
  const logs: VaultLog[] = [];
  const problems: { vault: string; error: ErrorReport }[] = [];
  for (const vault of vaultsOf(context, source)) {
    try {
      logs.push({ vault, contents: await readLogContents({ vault, source: source.name, trusted, signal }) });
    } catch (error: unknown) {
      signal.throwIfAborted();
      if (toAppError(error).kind !== "storage") throw error;
      problems.push({ vault: vault.name, error: reportError(error) });
    }
  }
  return { logs, problems };
}
