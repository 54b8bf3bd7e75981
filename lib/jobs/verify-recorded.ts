import { AppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import { findSource } from "../core/policy.ts";
import type { VerificationResult } from "../sources/work.ts";
import type { Context } from "../vault/context.ts";
import { type OtherWork, runJob } from "./run-job.ts";
import { totalOf, type TotalReport, type VerifyRequest } from "./verify-sources.ts";

export interface RecordedRequest extends VerifyRequest {
  heal: boolean;
  logger: Logger;
  other: OtherWork;
}

export interface RecordedReport extends TotalReport, VerificationResult {
  /** The receipt of each source. */
  receipts: string[];
}

/**
 * As `verifySources`, and signs what is proven: one job a source, each with its lease and receipt. Throws what keeps a job from
 * its end; damage is data.
 */
export async function verifyAndRecord(context: Context, request: RecordedRequest): Promise<RecordedReport> {
  const started = performance.now();
  const { source, deep, heal, logger, other, progress, signal } = request;
  const names = source === undefined ? context.policy.sources : [findSource(context.policy, source)];
  const receipts: string[] = [];
  const found: VerificationResult[] = [];
  for (const { name } of names) {
    const message = { v: 1, job: "verify", source: name, requestedBy: "operator", deep, heal } as const;
    const options = { attempt: 1, logger, ...(progress && { progress }), ...(signal && { signal }) };
    const outcome = await runJob(message, other, context, options);
    if (outcome.state === "covered") throw new AppError("INVARIANT", "a job without a due time is never covered");
    const { verification } = outcome.receipt.details;
    if (verification === undefined)
      throw outcome.failure ?? new AppError("INVARIANT", "a verification without a result");
    receipts.push(outcome.receipt.id);
    found.push(verification);
  }
  return { ...totalOf(found, started), healed: found.flatMap(({ healed }) => healed), receipts };
}
