import type { InvocationContext } from "@azure/functions";
import { reportError, toAppError } from "../lib/core/errors.ts";
import type { Logger } from "../lib/core/log.ts";
import { parseJobMessage } from "../lib/jobs/message.ts";
import { keepPoisonMessage } from "../lib/jobs/poison.ts";
import { runJob } from "../lib/jobs/run-job.ts";
import { runDrill } from "../lib/restore/drill.ts";
import { appContext, invocationLogger } from "./app-context.ts";
import { jobsQueue } from "./queue-names.ts";

/**
 * Runs the job of one queue message. A failure that may pass is thrown, so that the queue delivers the message again; one
 * that stays until somebody changes something is told by its receipt, and the timer asks anew while it is due.
 */
export async function runQueuedJob(message: unknown, invocation: InvocationContext): Promise<void> {
  const logger = invocationLogger(invocation);
  const attempt = Number(invocation.triggerMetadata?.["dequeueCount"] ?? 1);
  try {
    const job = parseJobMessage(message);
    const outcome = await runJob(job, { drill: runDrill }, await appContext(), { attempt, logger });
    if (outcome.state === "covered") {
      logger.info("job-covered", { ...job });
      return;
    }
    if (outcome.followUps.length > 0) invocation.extraOutputs.set(jobsQueue, outcome.followUps);
    if (outcome.failure) {
      logger.error("job-failed", { ...job, run: outcome.receipt.id, ...reportError(outcome.failure) });
      if (outcome.failure.retryable) throw outcome.failure;
    }
  } catch (error: unknown) {
    const { code } = toAppError(error);
    if (code === "MESSAGE_INVALID") await keepMessage(message, invocation, logger);
    else if (code === "LEASE_HELD") logger.info("job-runs-elsewhere", { code });
    else throw error;
  }
}

/** Puts a message that no delivery will do into the state of a vault, with what is wrong with it. */
export async function keepMessage(message: unknown, invocation: InvocationContext, logger: Logger): Promise<void> {
  const kept = await keepPoisonMessage(await appContext(), message, invocation.invocationId);
  logger.error("message-poisoned", { ...kept });
}
