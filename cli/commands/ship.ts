import { formatDuration, parseDuration } from "../../lib/core/time.ts";
import { openCommandContext, print, type AddCommand, type CommonOptions } from "../command.ts";
import { terminalProgress } from "../progress.ts";
import { runNow } from "../run-now.ts";
import { formatBytes, formatCount } from "../table.ts";

export const addShip: AddCommand = (program) => {
  program
    .command("ship")
    .description("ship the log of a source until it has caught up with now")
    .argument("<source>", "name of a source in the policy")
    .option("--for <duration>", "then go on tailing the log for that long, e.g. 10m")
    .action(async (source: string, options: CommonOptions & { for?: string }) => {
      const context = await openCommandContext(options);
      using progress = terminalProgress(process.stderr);
      const forSeconds = Math.round(parseDuration(options.for ?? "0s") / 1000);
      const message = { v: 1, job: "ship", source, requestedBy: "operator", forSeconds } as const;
      const receipt = await runNow(message, context, progress.report);
      progress[Symbol.dispose]();
      const { transactions, plainBytes, storedBytes, segments, seconds } = receipt.details.figures;
      const { caughtUpAt, gaps, behind, resumedBy } = receipt.details.figures;
      print(options, receipt, [
        `${source} shipped: ${formatCount(Number(transactions))} transactions, ${formatBytes(Number(plainBytes))} sealed into ` +
          `${formatBytes(Number(storedBytes))} in ${segments} segments, ${formatDuration(Number(seconds) * 1000)}`,
        `everything committed until ${caughtUpAt || "an unknown time"} is in the vaults; receipt ${receipt.id}`,
        ...(resumedBy === "file" ? ["GTIDs are off: the log is followed by file and offset"] : []),
        ...(gaps
          ? [`GAP: ${gaps}`, `Run \`resguardo backup ${source}\`: the log goes on from a full backup only.`]
          : []),
        ...(behind ? [`BEHIND: ${behind} did not take it; \`resguardo check\` says why`] : []),
      ]);
    });
};
