import type { InvocationContext } from "@azure/functions";
import { findDueJobs } from "../lib/jobs/find-due-jobs.ts";
import type { JobKind } from "../lib/jobs/message.ts";
import { kindsOfRole } from "../lib/jobs/roles.ts";
import { parseSettings } from "../lib/core/settings.ts";
import { appContext, invocationLogger } from "./app-context.ts";
import { jobsQueue } from "./queue-names.ts";

/** Puts one message per due job on the queue `jobs`; the timers' only work. Kinds that are another app's are left to it. */
export async function queueDueJobs(kinds: readonly JobKind[], invocation: InvocationContext): Promise<void> {
  const logger = invocationLogger(invocation);
  const ours = kindsOfRole(parseSettings(process.env).RESGUARDO_ROLE, kinds);
  if (ours.length === 0) return;
  const { jobs, unreadable } = await findDueJobs(await appContext(), ours, logger);
  for (const { source, error } of unreadable) logger.error("history-unreadable", { source, ...error });
  if (jobs.length > 0) invocation.extraOutputs.set(jobsQueue, jobs);
  logger.info("due-jobs-queued", { jobs: jobs.length, sources: jobs.map((job) => job.source) });
}
