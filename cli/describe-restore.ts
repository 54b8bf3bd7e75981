import { formatDuration } from "../lib/core/time.ts";
import type { Receipt } from "../lib/jobs/receipt.ts";
import type { PlannedRestore, RestoreOutcome } from "../lib/restore/restore-source.ts";
import { formatBytes, formatCount } from "./table.ts";

/** The lines of `restore --dry-run`. */
export function describePlan(plan: PlannedRestore): string[] {
  return [
    `would restore backup ${plan.backup} from vault ${plan.vault}, consistent at ${plan.consistentAt}`,
    ...plan.schemas.map(
      ({ from, to, tables, rows }) =>
        `  ${from === to ? from : `${from} as ${to}`}: ${formatCount(tables)} tables, ${formatCount(rows)} rows`,
    ),
    `reads ${formatBytes(plan.storedBytes)}, which unfold to ${formatBytes(plan.plainBytes)}; ` +
      `expected time ${formatDuration(plan.expectedSeconds * 1000)}`,
    ...plan.findings
      .filter(({ ok }) => ok !== true)
      .map(
        ({ setting, found, required, level, change }) =>
          `  ${level}: ${setting}: found ${found}, expected ${required}${change ? `; ${change}` : ""}`,
      ),
    ...describeNotCarriedOver(plan.notCarriedOver),
  ];
}

/** The comparison of a restore with its backup: one line when all is the same, a line for each difference otherwise. */
export function describeComparison({
  checks,
  notCarriedOver,
}: Pick<RestoreOutcome, "checks" | "notCarriedOver">): string[] {
  const wrong = checks.filter(({ ok }) => !ok);
  const verdict =
    wrong.length === 0
      ? [`compared: ${formatCount(checks.length)} checks, no difference`]
      : wrong.map(({ name, expected, found }) => `DIFFERS  ${name}: expected ${expected}, found ${found}`);
  return [...verdict, ...describeNotCarriedOver(notCarriedOver)];
}

/** The line of a drill that passed: what was promised, what was reached, and the receipt that proves it. */
export function describeDrill(receipt: Receipt): string[] {
  const { rows, tables, rtoSeconds, rtoPromisedSeconds } = receipt.details.figures;
  const figures = `${formatCount(Number(rows))} rows in ${formatCount(Number(tables))} tables`;
  const rto = `RTO ${formatDuration(Number(rtoSeconds) * 1000)} of ${formatDuration(Number(rtoPromisedSeconds) * 1000)}`;
  return [`${receipt.source} restored: ${figures} identical, ${rto}, receipt ${receipt.id}`];
}

function describeNotCarriedOver(items: readonly { object: string; reason: string }[]): string[] {
  return items.map(({ object, reason }) => `NOT CARRIED OVER  ${object}: ${reason}`);
}
