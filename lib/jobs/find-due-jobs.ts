import { reportError, type ErrorReport } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { Context } from "../vault/context.ts";
import { prepareVaults } from "../vault/prepare-vaults.ts";
import { isAnyVaultBehind } from "./copy-job.ts";
import { dueJobs, mayCopy } from "./due.ts";
import { readHistory } from "./history.ts";
import type { JobKind, JobMessage } from "./message.ts";

export interface DueJobs {
  jobs: JobMessage[];
  /** Sources whose history no vault could tell; the next tick asks again, and the others are served all the same. */
  unreadable: { source: string; error: ErrorReport }[];
}

/** The due jobs of all sources. */
export async function findDueJobs(context: Context, kinds: readonly JobKind[], logger: Logger): Promise<DueJobs> {
  await prepareVaults(context.vaults.values(), logger);
  const now = context.clock();
  const due: DueJobs = { jobs: [], unreadable: [] };
  for (const source of context.policy.sources) {
    try {
      const history = await readHistory(context, source);
      const jobs = dueJobs(source, history, now, kinds);
      const wantsCopy = kinds.includes("copy") && !jobs.some(({ job }) => job === "copy");
      if (wantsCopy && mayCopy(source, history, now) && (await isAnyVaultBehind(context, source))) {
        jobs.push({ v: 1, job: "copy", source: source.name, requestedBy: "timer" });
      }
      due.jobs.push(...jobs);
    } catch (error: unknown) {
      due.unreadable.push({ source: source.name, error: reportError(error) });
    }
  }
  return due;
}
