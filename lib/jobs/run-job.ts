import { AppError, reportError, toAppError, type ErrorReport } from "../core/errors.ts";
import { newId } from "../core/ids.ts";
import type { Logger } from "../core/log.ts";
import { findSource } from "../core/policy.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import { noProgress, type Progress } from "../core/progress.ts";
import type { Work } from "../sources/work.ts";
import type { Context } from "../vault/context.ts";
import { prepareVaults } from "../vault/prepare-vaults.ts";
import { backupWork } from "./backup-job.ts";
import { copyWork } from "./copy-job.ts";
import { mayAskFor } from "./due.ts";
import { healWork } from "./heal-job.ts";
import { compactWork } from "./compact-job.ts";
import { addToHistory, readHistory } from "./history.ts";
import { firstAnswering } from "./first-answering.ts";
import { acquireLease, type Lease, waitForLease } from "./lease.ts";
import { workName, type JobMessage } from "./message.ts";
import { closeInterrupted, writeReceipt, type Receipt, type Run, type WorkOutcome } from "./receipt.ts";
import { retentionWork } from "./retention-job.ts";
import { rotateKeysWork } from "./rotate-keys-job.ts";
import { shipWork } from "./ship-job.ts";
import { openTally } from "./tally.ts";
import { verifyWork } from "./verify-job.ts";

/*
 * covered already -> skipped
 * lease taken -> the run of a worker that died is closed as interrupted -> work -> receipt in every vault -> lease returned
 * Killed at any instant, the lease expires, the job is still due by the receipts, and the next run starts from the catalogue.
 */

export interface RunOptions {
  /** How often this message was delivered, from 1. */
  attempt: number;
  logger: Logger;
  progress?: Progress;
  /** Asks the run to end in order; its receipt says `interrupted`. */
  signal?: AbortSignal;
}

export type RunOutcome =
  /** `followUps` are messages for the queue. */
  | { state: "ran"; receipt: Receipt; failure?: AppError; followUps: JobMessage[] }
  /** An earlier run did it; or this one had nothing special to tell, and the next receipt counts it. */
  | { state: "covered"; by: "earlier-run" | "next-receipt" };

/** Work of other parts of the product that jobs can ask for. */
export interface OtherWork {
  drill: (test: "from-zero" | "pitr") => Work;
}

/**
 * Runs one job under its lease and leaves a receipt, also of a failure, which is returned and not thrown.
 * Throws LEASE_HELD, SOURCE_UNKNOWN, and what prevents a receipt from being written at all.
 */
export async function runJob(
  message: JobMessage,
  other: OtherWork,
  context: Context,
  options: RunOptions,
): Promise<RunOutcome> {
  const source = findSource(context.policy, message.source);
  const name = workName(message);
  await prepareVaults(context.vaults.values(), options.logger);
  if (await isCovered(message, context, source)) return { state: "covered", by: "earlier-run" };

  const runId = newId(context.clock());
  const { storage } = await firstAnswering(context, source);
  const key = `leases/${source.name}/${name}`;
  const leaseOptions = { state: storage.state, key, runId, attempt: options.attempt, clock: context.clock };
  // A job that tails a log ends when the next one is due, and that one takes over.
  await using lease = await (message.job === "ship" ? waitForLease : acquireLease)(leaseOptions);
  if (lease.interrupted) await closeInterrupted(context, source, name, lease.interrupted);
  const run: Run = { message, name, runId, source, startedAt: context.clock(), attempt: options.attempt };
  const outcome = await doWork(workOf(message, other), run, lease, context, options);
  const tally = message.job === "ship" ? await openTally(storage.state, source.name) : undefined;
  if (tally?.takes(run, outcome)) {
    const finishedAt = context.clock();
    await tally.add(outcome, finishedAt);
    const times = { startedAt: run.startedAt.toISOString(), finishedAt: finishedAt.toISOString() };
    await addToHistory(context, source, { job: name, state: "done", ...times });
    return { state: "covered", by: "next-receipt" };
  }
  const receipt = await writeReceipt(context, run, outcome, tally?.counted);
  await tally?.restart(new Date(receipt.finishedAt));
  await addToHistory(context, source, receipt);
  const followUps = await followUpsOf(outcome, run, context);
  return { state: "ran", receipt, followUps, ...(outcome.failure && { failure: outcome.failure }) };
}

async function followUpsOf({ result }: WorkOutcome, { source, name }: Run, context: Context): Promise<JobMessage[]> {
  const { followUps = [] } = result;
  if (followUps.length === 0) return [];
  const copies = mayAskFor("copy", source, await readHistory(context, source), context.clock());
  const wanted = followUps.filter((job) => job !== "copy" || copies);
  return wanted.map((job) => ({ v: 1, job, source: source.name, requestedBy: name }));
}

async function doWork(work: Work, run: Run, lease: Lease, context: Context, options: RunOptions): Promise<WorkOutcome> {
  const { source, runId } = run;
  const logger = options.logger.child({ source: source.name, job: run.name, run: runId });
  const signal = options.signal ? AbortSignal.any([lease.signal, options.signal]) : lease.signal;
  logger.info("run-started", { attempt: run.attempt, requestedBy: run.message.requestedBy });
  try {
    const result = await work({ context, source, runId, logger, signal, progress: options.progress ?? noProgress });
    logger.info("run-ended", { state: result.error ? "failed" : "done", ...result.figures, ...result.error });
    return result.error ? { state: "failed", result, failure: asFailure(result.error) } : { state: "done", result };
  } catch (error: unknown) {
    // A driver or stream that was aborted throws its own error; the reason of the abort is what happened.
    const failure = toAppError(signal.aborted ? signal.reason : error);
    const state = options.signal?.aborted ? "interrupted" : "failed";
    logger.info("run-ended", { state, ...reportError(failure) });
    return { state, result: { figures: {} }, failure };
  }
}

function workOf(message: JobMessage, other: OtherWork): Work {
  switch (message.job) {
    case "backup":
      return backupWork;
    case "verify":
      return verifyWork(message);
    case "copy":
      return copyWork;
    case "heal":
      return healWork;
    case "ship":
      return shipWork(message);
    case "rotate-keys":
      return rotateKeysWork;
    case "compact":
      return compactWork;
    case "retention":
      return retentionWork;
    case "drill":
      return other.drill(message.test);
  }
}

/** A message that is delivered again after its work was done has nothing left to do. */
async function isCovered(message: JobMessage, context: Context, source: SourcePolicy): Promise<boolean> {
  if (message.dueAt === undefined) return false;
  const { coveredUntil } = (await readHistory(context, source)).get(workName(message)) ?? {};
  return coveredUntil !== undefined && Date.parse(coveredUntil) >= Date.parse(message.dueAt);
}

function asFailure({ code, message, hint }: ErrorReport): AppError {
  return new AppError(code, message, hint === undefined ? {} : { hint });
}
