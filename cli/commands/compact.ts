import { AppError } from "../../lib/core/errors.ts";
import { formatDuration } from "../../lib/core/time.ts";
import { type PlannedCompaction, planCompactions } from "../../lib/jobs/compact-job.ts";
import type { Receipt } from "../../lib/jobs/receipt.ts";
import { interruptSignal, openCommandContext, print, type AddCommand, type CommonOptions } from "../command.ts";
import { terminalProgress } from "../progress.ts";
import { runNow } from "../run-now.ts";
import { formatBytes, formatCount } from "../table.ts";

export const addCompact: AddCommand = (program, state) => {
  program
    .command("compact")
    .description("merge small log segments into larger blobs; with --dry-run, only show which")
    .argument("[source]", "only this source; needed without --dry-run")
    .option("--dry-run", "show what would be merged; write nothing")
    .action(async (source: string | undefined, options: CommonOptions & { dryRun?: true }) => {
      const context = await openCommandContext(options);
      if (options.dryRun) {
        const vaults = await planCompactions(context, source, interruptSignal());
        print(options, { vaults }, vaults.map(describePlan));
        if (vaults.some(({ error }) => error !== undefined)) state.exitCode = 1;
        return;
      }
      if (source === undefined) throw new AppError("USAGE", "compact: expected a source, or --dry-run for all of them");
      using progress = terminalProgress(process.stderr);
      const message = { v: 1, job: "compact", source, requestedBy: "operator" } as const;
      const receipt = await runNow(message, context, progress.report);
      progress[Symbol.dispose]();
      print(options, receipt, [describeReceipt(receipt)]);
    });
};

function describePlan({ source, vault, blobs, segments, bytes, error }: PlannedCompaction): string {
  if (error) return `${source} in ${vault}: FAILED ${error.code}: ${error.message}`;
  return `${source} in ${vault}: ${formatCount(segments)} segments would become ${formatCount(blobs)} blobs, ${formatBytes(bytes)}`;
}

function describeReceipt({ source, id, details }: Receipt): string {
  const { segments, blobs, bytes, damaged, seconds } = details.figures;
  const left = Number(damaged) > 0 ? `; ${formatCount(Number(damaged))} damaged ones were left alone` : "";
  return (
    `${source}: merged ${formatCount(Number(segments))} segments into ${formatCount(Number(blobs))} blobs, ` +
    `${formatBytes(Number(bytes))}, ${formatDuration(Number(seconds) * 1000)}${left}; receipt ${id}`
  );
}
