import { formatDuration } from "../../lib/core/time.ts";
import { openCommandContext, print, type AddCommand, type CommonOptions } from "../command.ts";
import { terminalProgress } from "../progress.ts";
import { runNow } from "../run-now.ts";
import { formatBytes, formatCount } from "../table.ts";

export const addBackup: AddCommand = (program) => {
  program
    .command("backup")
    .description("make a full backup of a source, now")
    .argument("<source>", "name of a source in the policy")
    .action(async (source: string, options: CommonOptions) => {
      const context = await openCommandContext(options);
      using progress = terminalProgress(process.stderr);
      const receipt = await runNow({ v: 1, job: "backup", source, requestedBy: "operator" }, context, progress.report);
      progress[Symbol.dispose]();
      const { backup, rows, tables, plainBytes, storedBytes, seconds, vaults, behind } = receipt.details.figures;
      print(options, receipt, [
        `${source} backed up: ${formatCount(Number(rows))} rows in ${tables} tables, ${formatBytes(Number(plainBytes))} ` +
          `sealed into ${formatBytes(Number(storedBytes))} in ${formatDuration(Number(seconds) * 1000)}`,
        `backup ${backup} in ${vaults}; receipt ${receipt.id}`,
        ...(behind ? [`BEHIND: ${behind} did not take it; \`resguardo check\` says why`] : []),
      ]);
    });
};
