import type { InvocationContext } from "@azure/functions";
import { findDueJobs } from "../lib/jobs/find-due-jobs.ts";
import type { JobKind } from "../lib/jobs/message.ts";
import { appContext, invocationLogger } from "./app-context.ts";
import { jobsQueue } from "./queue-names.ts";

/** Puts one message per due job on the queue `jobs`; the timers' only work. */
export async function queueDueJobs(kinds: readonly JobKind[], invocation: InvocationContext): Promise<void> {
  const logger = invocationLogger(invocation);
  const { jobs, unreadable } = await findDueJobs(await appContext(), kinds, logger);
  for (const { source, error } of unreadable) logger.error("history-unreadable", { source, ...error });
  if (jobs.length > 0) invocation.extraOutputs.set(jobsQueue, jobs);
  logger.info("due-jobs-queued", { jobs: jobs.length, sources: jobs.map((job) => job.source) });
}
