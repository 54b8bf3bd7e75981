import type { InvocationContext } from "@azure/functions";
import { toAppError } from "../lib/core/errors.ts";
import { parseJobMessage } from "../lib/jobs/message.ts";
import { runJob } from "../lib/jobs/run-job.ts";
import { runDrill } from "../lib/restore/drill.ts";
import { appContext, invocationLogger } from "./app-context.ts";

/**
 * Runs the job of one queue message. A failure that may pass is thrown, so that the queue delivers the message again; one
 * that stays until somebody changes something is told by its receipt, and the timer asks anew while it is due.
 */
export async function runQueuedJob(message: unknown, invocation: InvocationContext): Promise<void> {
  const logger = invocationLogger(invocation);
  const attempt = Number(invocation.triggerMetadata?.["dequeueCount"] ?? 1);
  const job = parseJobMessage(message);
  try {
    const outcome = await runJob(job, { drill: runDrill }, await appContext(), { attempt, logger });
    if (outcome.state === "covered") logger.info("job-covered", { ...job });
    else if (outcome.failure?.retryable) throw outcome.failure;
  } catch (error: unknown) {
    if (toAppError(error).code !== "LEASE_HELD") throw error;
    logger.info("job-runs-elsewhere", { ...job });
  }
}
