import { reportError, type ErrorReport } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { Context } from "../vault/context.ts";
import { prepareVaults } from "../vault/prepare-vaults.ts";
import { dueJobs } from "./due.ts";
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
      due.jobs.push(...dueJobs(source, await readHistory(context, source), now, kinds));
    } catch (error: unknown) {
      due.unreadable.push({ source: source.name, error: reportError(error) });
    }
  }
  return due;
}
