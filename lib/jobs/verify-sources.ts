import { findSource } from "../core/policy.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import type { Progress } from "../core/progress.ts";
import { deepCheckOf } from "../sources/deep-check.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { readKnownProofs } from "../vault/proofs-record.ts";
import { verifySource } from "../vault/verify.ts";
import type { VerifyReport } from "../vault/verify-report.ts";

export interface VerifyRequest {
  /** Name of a source; absent is all of them. */
  source?: string | undefined;
  /** Also open what lies there, count it and compare; needs the private key. */
  deep: boolean;
  progress?: Progress;
  signal?: AbortSignal;
}

export interface TotalReport extends VerifyReport {
  seconds: number;
}

/**
 * Reads back everything in every vault of the wanted sources, and leaves no trace. Problems are data; throws SOURCE_UNKNOWN and
 * what opening keys throws.
 */
export async function verifySources(context: Context, request: VerifyRequest): Promise<TotalReport> {
  const started = performance.now();
  const { policy } = context;
  const sources = request.source === undefined ? policy.sources : [findSource(policy, request.source)];
  const reports: VerifyReport[] = [];
  for (const source of sources) reports.push(await verifyOne(context, source, request));
  return totalOf(reports, started);
}

/** All reports together; `started` is when the first of them was begun, by `performance.now`. */
export function totalOf(reports: readonly VerifyReport[], started: number): TotalReport {
  const sum = (count: "proven" | "failed" | "notLooked" | "bytes" | "inGrace") =>
    reports.reduce((total, report) => total + report[count], 0);
  const seconds = (performance.now() - started) / 1000;
  return {
    proven: sum("proven"),
    failed: sum("failed"),
    notLooked: sum("notLooked"),
    bytes: sum("bytes"),
    mbPerSecond: Math.round(sum("bytes") / 1e5 / Math.max(0.001, seconds)) / 10,
    inGrace: sum("inGrace"),
    seconds,
    problems: reports.flatMap(({ problems }) => problems),
    coverage: reports.flatMap(({ coverage }) => coverage),
    behind: reports.flatMap(({ behind }) => behind),
    unreadable: reports.flatMap(({ unreadable }) => unreadable),
  };
}

async function verifyOne(context: Context, source: SourcePolicy, request: VerifyRequest): Promise<VerifyReport> {
  const { deep, progress, signal } = request;
  const trusted = await context.trustedKeys();
  const query = { vaults: vaultsOf(context, source), source: source.name, trusted, now: context.clock() };
  const { report } = await verifySource({
    ...query,
    known: await readKnownProofs({ ...query, ...(signal && { signal }) }),
    deep: deep ? await deepCheckOf(context, source) : undefined,
    progress,
    signal,
  });
  return report;
}
