import { formatDuration } from "../../lib/core/time.ts";
import { type TotalReport, verifySources } from "../../lib/jobs/verify-sources.ts";
import { type RecordedReport, verifyAndRecord } from "../../lib/jobs/verify-recorded.ts";
import { runDrill } from "../../lib/restore/drill.ts";
import { commandLogger, interruptSignal, print, type AddCommand } from "../command.ts";
import { terminalProgress } from "../progress.ts";
import { addReadOptions, describeOpened, openEveryVault, type ReadOptions, reportOf } from "../source-context.ts";
import { formatBytes, formatCount } from "../table.ts";

interface VerifyCommandOptions extends ReadOptions {
  all?: true;
  deep?: true;
  heal?: true;
  record?: true;
}

export const addVerify: AddCommand = (program, state) => {
  const command = program
    .command("verify")
    .description("re-read what the vaults hold and compare it with the signed manifests")
    .argument("[source]", "only this source")
    .option("--all", "every source (the default without a name)")
    .option("--deep", "also decrypt, decompress, count rows and compare fingerprints; needs the private key")
    .option("--record", "sign what is proven now, so that it counts; needs the signing key")
    .option("--heal", "replace what is damaged in one vault by what another one has; implies --record");
  addReadOptions(command).action(async (named: string | undefined, options: VerifyCommandOptions) => {
    const opened = await openEveryVault(named, options, "verify");
    const { context, source } = opened;
    using progress = terminalProgress(process.stderr);
    const { deep = false, heal = false, record = heal } = options;
    const request = { source, deep, progress: progress.report, signal: interruptSignal() };
    const report: TotalReport & Partial<RecordedReport> = record
      ? await verifyAndRecord(context, { ...request, heal, logger: commandLogger(), other: { drill: runDrill } })
      : await verifySources(context, request);
    progress[Symbol.dispose]();
    print(options, { ...report, ...reportOf(opened) }, [...linesOf(report), ...describeOpened(opened)]);
    const { failed, notLooked, proven, unreadable, healed = [] } = report;
    if (failed > healed.length || notLooked + unreadable.length > 0 || proven === 0) state.exitCode = 1;
  });
};

function linesOf(report: TotalReport & Partial<RecordedReport>): string[] {
  const { proven, failed, notLooked, bytes, seconds, problems, behind, unreadable, healed = [], inGrace } = report;
  return [
    ...problems.map(({ vault, blob, code }) => `FAILED  ${code}  ${vault}: ${blob}`),
    ...healed.map(({ vault, blob, from }) => `HEALED  ${vault}: ${blob} from ${from}`),
    ...unreadable.map(({ source, vault, error }) => `UNREADABLE  ${error.code}  ${vault}, ${source}: ${error.message}`),
    ...behind.map(
      ({ source, vault, fulls, segments, runs }) =>
        `BEHIND  ${vault}, ${source}: ${formatCount(fulls)} full backups, ${formatCount(segments)} segments, ${formatCount(runs)} receipts`,
    ),
    ...(inGrace > 0
      ? [`IN GRACE  ${formatCount(inGrace)} manifests were signed by a session key that had expired`]
      : []),
    `proven ${formatCount(proven)}, failed ${formatCount(failed)}, not looked at ${formatCount(notLooked)}: ` +
      `${formatBytes(bytes)} in ${formatDuration(seconds * 1000)}`,
  ];
}
