import { reportError, type ErrorReport } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { Context } from "../vault/context.ts";
import { prepareVaults } from "../vault/prepare-vaults.ts";
import { isAnyVaultBehind } from "./copy-job.ts";
import { dueJobs, mayAskFor } from "./due.ts";
import { isAnythingHealable } from "./heal-job.ts";
import { readHistory } from "./history.ts";
import type { JobKind, JobMessage } from "./message.ts";

export interface DueJobs {
  jobs: JobMessage[];
  /** Sources whose history no vault could tell; the next tick asks again, and the others are served all the same. */
  unreadable: { source: string; error: ErrorReport }[];
}

/** Work that the vaults themselves show to be necessary. */
const FOUND_NECESSARY = [
  { job: "copy", isNeeded: isAnyVaultBehind },
  { job: "heal", isNeeded: isAnythingHealable },
] as const;

/** The due jobs of all sources. */
export async function findDueJobs(context: Context, kinds: readonly JobKind[], logger: Logger): Promise<DueJobs> {
  await prepareVaults(context.vaults.values(), logger);
  const now = context.clock();
  const due: DueJobs = { jobs: [], unreadable: [] };
  for (const source of context.policy.sources) {
    try {
      const history = await readHistory(context, source);
      const jobs = dueJobs(source, history, now, kinds);
      for (const { job, isNeeded } of FOUND_NECESSARY) {
        if (!kinds.includes(job) || jobs.some((one) => one.job === job)) continue;
        if (!mayAskFor(job, source, history, now) || !(await isNeeded(context, source))) continue;
        jobs.push({ v: 1, job, source: source.name, requestedBy: "timer" });
      }
      due.jobs.push(...jobs);
    } catch (error: unknown) {
      due.unreadable.push({ source: source.name, error: reportError(error) });
    }
  }
  return due;
}
