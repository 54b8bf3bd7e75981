import { type ErrorReport, reportError } from "../../lib/core/errors.ts";
import { formatDuration } from "../../lib/core/time.ts";
import type { Receipt } from "../../lib/jobs/receipt.ts";
import { openCommandContext, print, type AddCommand, type CommonOptions } from "../command.ts";
import { terminalProgress } from "../progress.ts";
import { runNow } from "../run-now.ts";
import { formatBytes, formatCount } from "../table.ts";

export const addCopy: AddCommand = (program, state) => {
  program
    .command("copy")
    .description("bring every vault up to what the other vaults of its sources hold, now")
    .argument("[source]", "only this source")
    .action(async (only: string | undefined, options: CommonOptions) => {
      const context = await openCommandContext(options);
      const sources = only === undefined ? context.policy.sources.map(({ name }) => name) : [only];
      const runs: CopyRun[] = [];
      for (const source of sources) {
        using progress = terminalProgress(process.stderr);
        try {
          const message = { v: 1, job: "copy", source, requestedBy: "operator" } as const;
          runs.push({ source, receipt: await runNow(message, context, progress.report) });
        } catch (error: unknown) {
          // The other sources are copied all the same.
          if (only !== undefined) throw error;
          runs.push({ source, error: reportError(error) });
        }
      }
      print(options, { runs }, runs.map(describe));
      if (runs.some(({ error }) => error !== undefined)) state.exitCode = 1;
    });
};

type CopyRun = { source: string; receipt: Receipt; error?: never } | { source: string; error: ErrorReport };

function describe({ source, ...run }: CopyRun): string {
  if (run.error) return `${source} FAILED  ${run.error.code}: ${run.error.message}`;
  const { backups, segments, records, bytes, removed, lost, seconds } = run.receipt.details.figures;
  const [left, gone] = [Number(removed), Number(lost)];
  return [
    `${source} copied: ${formatCount(Number(backups))} backups, ${formatCount(Number(segments))} log segments, ` +
      `${formatCount(Number(records))} records, ${formatBytes(Number(bytes))} in ${formatDuration(Number(seconds) * 1000)}`,
    ...(left > 0 ? [`${formatCount(left)} left out, for they were removed on purpose`] : []),
    ...(gone > 0 ? [`LOST: ${formatCount(gone)} blobs are whole in no vault`] : []),
    `receipt ${run.receipt.id}`,
  ].join("; ");
}
