import { AppError } from "../../lib/core/errors.ts";
import { planRetentions, type UnreadableVault, type VaultRetention } from "../../lib/jobs/plan-retention.ts";
import type { Receipt } from "../../lib/jobs/receipt.ts";
import { interruptSignal, openCommandContext, print, type AddCommand, type CommonOptions } from "../command.ts";
import { terminalProgress } from "../progress.ts";
import { runNow } from "../run-now.ts";
import { formatBytes, formatCount } from "../table.ts";

export const addRetention: AddCommand = (program, state) => {
  program
    .command("retention")
    .description("remove what the policy no longer keeps; with --dry-run, only show what that is, and why")
    .argument("[source]", "only this source; needed without --dry-run")
    .option("--dry-run", "show what would go, why, how much it is and what it costs; remove nothing")
    .action(async (source: string | undefined, options: CommonOptions & { dryRun?: true }) => {
      const context = await openCommandContext(options);
      if (options.dryRun) {
        const vaults = await planRetentions(context, source, interruptSignal());
        print(options, { vaults }, vaults.flatMap(describePlan));
        if (vaults.some((vault) => "error" in vault || vault.refused !== undefined)) state.exitCode = 1;
        return;
      }
      if (source === undefined)
        throw new AppError("USAGE", "retention: expected a source, or --dry-run for all of them");
      using progress = terminalProgress(process.stderr);
      const message = { v: 1, job: "retention", source, requestedBy: "operator" } as const;
      const receipt = await runNow(message, context, progress.report);
      progress[Symbol.dispose]();
      print(options, receipt, describeReceipt(receipt));
    });
};

function describePlan(planned: VaultRetention | UnreadableVault): string[] {
  const name = `${planned.source} in ${planned.vault}`;
  if ("error" in planned) return [`${name}: FAILED ${planned.error.code}: ${planned.error.message}`];
  const { refused, removals, notBefore, kept, bytes, savedPerMonth } = planned;
  const segments = removals.filter(({ kind }) => kind === "segment");
  const segmentBytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const saved = savedPerMonth
    ? `, estimate: ${savedPerMonth.amount.toFixed(2)} ${savedPerMonth.currency} a month less`
    : "";
  return [
    refused === undefined
      ? `${name}: ${formatCount(removals.length)} would go, ${formatBytes(bytes)}${saved}`
      : `${name}: NOTHING GOES: ${refused}`,
    ...removals
      .filter(({ kind }) => kind !== "segment")
      .map(({ kind, id, sizeBytes, why }) => `  ${kind} ${id}  ${formatBytes(sizeBytes)}  ${why ?? ""}`),
    ...(segments.length === 0
      ? []
      : [
          `  log ${segments[0]?.id} to ${segments.at(-1)?.id}  ${formatBytes(segmentBytes)}  ` +
            `${formatCount(segments.length)} segments that no kept instant needs`,
        ]),
    ...notBefore.map(
      ({ kind, id, until, reason }) => `  ${kind} ${id}  not before ${until ?? "its release"}: ${reason}`,
    ),
    ...kept.map(({ id, because }) => `  keeps ${id}: ${because.join("; ")}`),
  ];
}

function describeReceipt({ source, id, details }: Receipt): string[] {
  const { removedFulls, removedSegments, removedOrphans, removedRecords, removedBytes } = details.figures;
  const { mergedSegments, mergedWaiting } = details.figures;
  const count = (figure: unknown) => formatCount(Number(figure));
  return [
    `${source}: removed ${count(removedFulls)} fulls, ${count(removedSegments)} log segments, ` +
      `${count(removedOrphans)} unfinished uploads and ${count(removedRecords)} receipts, ` +
      `${formatBytes(Number(removedBytes))}; receipt ${id}`,
    ...(Number(mergedSegments) > 0 ? [`${count(mergedSegments)} log segments now lie in merged blobs only`] : []),
    ...(Number(mergedWaiting) > 0 ? [`${count(mergedWaiting)} merged blobs wait for a verification`] : []),
  ];
}
