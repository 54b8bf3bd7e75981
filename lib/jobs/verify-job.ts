import { reportError, type ErrorReport } from "../core/errors.ts";
import { findSource } from "../core/policy.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import type { Progress } from "../core/progress.ts";
import type { Work } from "../sources/work.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { verifyVault } from "../vault/verify.ts";
import type { VerifyReport } from "../vault/verify-report.ts";

export interface VerifyRequest {
  /** Name of a source; absent is all of them. */
  source?: string | undefined;
  /** Also decrypt and decompress; needs the private key. */
  deep: boolean;
  progress?: Progress;
  signal?: AbortSignal;
}

export interface TotalReport extends VerifyReport {
  seconds: number;
  /** Vaults whose catalogue could not be read: nothing of theirs is proven. */
  unreadable: { source: string; vault: string; error: ErrorReport }[];
}

/** Verifies every vault of the wanted sources. Problems are data; throws SOURCE_UNKNOWN and what opening keys throws. */
export async function verifySources(context: Context, request: VerifyRequest): Promise<TotalReport> {
  const started = performance.now();
  const { policy } = context;
  const sources = request.source === undefined ? policy.sources : [findSource(policy, request.source)];
  const total: TotalReport = {
    proven: 0,
    failed: 0,
    notLooked: 0,
    bytes: 0,
    mbPerSecond: 0,
    seconds: 0,
    problems: [],
    unreadable: [],
  };
  for (const source of sources) await verifySource(context, source, request, total);
  total.seconds = (performance.now() - started) / 1000;
  total.mbPerSecond = Math.round(total.bytes / 1e5 / Math.max(0.001, total.seconds)) / 10;
  return total;
}

/** The job of the timer `checksums`: fails when anything is damaged or could not be looked at. */
export const verifyWork: Work = async ({ context, source, signal, progress }) => {
  const { problems, unreadable, ...figures } = await verifySources(context, {
    source: source.name,
    deep: false,
    signal,
    progress,
  });
  const error = problems[0] ?? unreadable[0]?.error;
  const receipt = { figures: { ...figures, unreadableVaults: unreadable.length } };
  if (!error) return receipt;
  const message = `${problems.length} of ${figures.proven + figures.failed} blobs are wrong, ${unreadable.length} vaults unreadable; first: ${error.message}`;
  return {
    ...receipt,
    error: { code: error.code, message, hint: `Run \`resguardo verify ${source.name}\` to see all of them.` },
  };
};

async function verifySource(
  context: Context,
  source: SourcePolicy,
  request: VerifyRequest,
  total: TotalReport,
): Promise<void> {
  const trusted = await context.trustedKeys();
  const deep = request.deep ? { deep: [await context.decryptionKey()] } : {};
  const { signal, progress } = request;
  for (const vault of vaultsOf(context, source)) {
    const options = {
      vault,
      source: source.name,
      trusted,
      ...deep,
      ...(signal && { signal }),
      ...(progress && { progress }),
    };
    try {
      const report = await verifyVault(options);
      for (const count of ["proven", "failed", "notLooked", "bytes"] as const) total[count] += report[count];
      total.problems.push(...report.problems);
    } catch (error: unknown) {
      total.unreadable.push({ source: source.name, vault: vault.name, error: reportError(error) });
    }
  }
}
