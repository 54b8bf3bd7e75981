import { formatDuration } from "../../lib/core/time.ts";
import { verifySources } from "../../lib/jobs/verify-job.ts";
import { interruptSignal, openCommandContext, print, type AddCommand, type CommonOptions } from "../command.ts";
import { terminalProgress } from "../progress.ts";
import { formatBytes, formatCount } from "../table.ts";

export const addVerify: AddCommand = (program, state) => {
  program
    .command("verify")
    .description("re-read what the vaults hold and compare it with the signed manifests")
    .argument("[source]", "only this source")
    .option("--all", "every source (the default without a name)")
    .option("--deep", "also decrypt and decompress; needs the private key")
    .action(async (source: string | undefined, options: CommonOptions & { all?: true; deep?: true }) => {
      const context = await openCommandContext(options);
      using progress = terminalProgress(process.stderr);
      const report = await verifySources(context, {
        source,
        deep: options.deep ?? false,
        progress: progress.report,
        signal: interruptSignal(),
      });
      progress[Symbol.dispose]();
      const { proven, failed, notLooked, bytes, seconds, problems } = report;
      print(options, report, [
        ...problems.map(({ vault, blob, code }) => `FAILED  ${code}  ${vault}: ${blob}`),
        `proven ${formatCount(proven)}, failed ${formatCount(failed)}, not looked at ${formatCount(notLooked)}: ` +
          `${formatBytes(bytes)} in ${formatDuration(seconds * 1000)}`,
      ]);
      if (failed > 0 || notLooked > 0 || proven === 0) state.exitCode = 1;
    });
};
