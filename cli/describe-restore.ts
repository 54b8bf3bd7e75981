import { formatDuration } from "../lib/core/time.ts";
import type { Receipt } from "../lib/jobs/receipt.ts";
import type { PlannedRestore, RestoreOutcome } from "../lib/restore/restore-source.ts";
import { formatBytes, formatCount } from "./table.ts";

/** The lines of `restore --dry-run`. */
export function describePlan(plan: PlannedRestore): string[] {
  return [
    `would restore backup ${plan.backup} from vault ${plan.vault}, consistent at ${plan.consistentAt}`,
    ...describeArchived(plan),
    ...describeLog(plan),
    ...plan.schemas.map(
      ({ from, to, tables, rows }) =>
        `  ${from === to ? from : `${from} as ${to}`}: ${formatCount(tables)} tables, ${formatCount(rows)} rows`,
    ),
    `reads ${formatBytes(plan.storedBytes)}, which unfold to ${formatBytes(plan.plainBytes)}; ` +
      `expected time ${describeExpected(plan)}`,
    ...plan.findings
      .filter(({ ok }) => ok !== true)
      .map(
        ({ setting, found, required, level, change }) =>
          `  ${level}: ${setting}: found ${found}, expected ${required}${change ? `; ${change}` : ""}`,
      ),
    ...describeNotCarriedOver(plan.notCarriedOver),
    ...(plan.obstacles ?? []).map(
      ({ transaction, reason, canBeLeftOut }) =>
        `CAN'T BE REPLAYED  ${transaction}: ${reason}${canBeLeftOut ? " (--leave-out goes on without it)" : ""}`,
    ),
  ];
}

/** A time, and what it is reckoned from. */
export function describeExpected({ expectedSeconds, expectedBasis }: ExpectedRestore): string {
  const reason = expectedBasis === "measured" ? "as drills took" : "by default rates; a drill measures";
  return `${formatDuration(expectedSeconds * 1000)} (${reason})`;
}

type ExpectedRestore = Pick<PlannedRestore, "expectedSeconds" | "expectedBasis">;

function describeArchived({ archived }: PlannedRestore): string[] {
  if (archived === null) return [];
  return [
    `NOT YET: ${formatCount(archived.blobs)} blobs, ${formatBytes(archived.sizeBytes)}, are in the archive tier; ` +
      `to bring them back takes up to ${formatDuration(archived.waitSeconds * 1000)}`,
  ];
}

function describeLog({ log, requested }: PlannedRestore): string[] {
  if (log === null) return [];
  return [
    `and replay up to ${formatCount(log.transactions)} transactions of the log, to ${requested}: ` +
      `${formatCount(log.segments)} segments, ${formatBytes(log.storedBytes)}, which unfold to ${formatBytes(log.plainBytes)}`,
  ];
}

/** The lines of a restore: what came back, up to when, and how it compares with what was backed up. */
export function describeRestore(source: string, outcome: RestoreOutcome): string[] {
  const { rows, tables, vault, seconds, consistentAt, replayed, reached } = outcome;
  const took = formatDuration(seconds * 1000);
  return [
    `${source} restored: ${formatCount(rows)} rows in ${formatCount(tables)} tables from ${vault} in ${took}, ` +
      `consistent at ${consistentAt}`,
    ...(replayed ? [`replayed ${formatCount(replayed.transactions)} transactions, up to ${reached.at}`] : []),
    ...describeComparison(outcome),
    ...(replayed?.leftOut ?? []).map(
      ({ reason, statements, first }) => `LEFT OUT  ${formatCount(statements)} statements: ${reason}; first: ${first}`,
    ),
    ...(replayed?.prepared ?? []).map((xid) => `PREPARED  XA transaction ${xid}: commit it or roll it back`),
  ];
}

const UNFINISHED =
  "NOT FINISHED  events stay disabled, no log was replayed on rows that differ, and the record of the restore stays in a schema resguardo_restore_… of the target: the same command compares again, and finishes when nothing differs";

/** One line when all is the same, a line for each difference otherwise. */
function describeComparison({ checks, notCarriedOver }: RestoreOutcome): string[] {
  const wrong = checks.filter(({ ok }) => !ok);
  const verdict =
    wrong.length === 0
      ? [`compared: ${formatCount(checks.length)} checks, no difference`]
      : wrong.map(({ name, expected, found }) => `DIFFERS  ${name}: expected ${expected}, found ${found}`);
  const left = wrong.length === 0 ? [] : [UNFINISHED];
  return [...verdict, ...describeNotCarriedOver(notCarriedOver), ...left];
}

/** The line of a drill that passed: what was promised, what was reached, and the receipt that proves it. */
export function describeDrill(receipt: Receipt): string[] {
  const { rows, tables, transactions, reachedAt, rowsLost, ...figures } = receipt.details.figures;
  const { rpoSeconds, rpoPromisedSeconds, rtoSeconds, rtoPromisedSeconds, heartbeatRpoSeconds } = figures;
  const took = (amount: unknown): string => formatDuration(Number(amount) * 1000);
  return [
    [
      `${receipt.source} restored: ${formatCount(Number(rows))} rows in ${formatCount(Number(tables))} tables identical`,
      ...(transactions === null ? [] : [`replayed ${formatCount(Number(transactions))} transactions to ${reachedAt}`]),
      ...(rowsLost === null ? [] : [`${formatCount(Number(rowsLost))} rows lost`]),
      `RPO ${took(rpoSeconds)} of ${took(rpoPromisedSeconds)}`,
      ...(typeof heartbeatRpoSeconds === "number" ? [`${took(heartbeatRpoSeconds)} by the restored heartbeat`] : []),
      `RTO ${took(rtoSeconds)} of ${took(rtoPromisedSeconds)}`,
      `receipt ${receipt.id}`,
    ].join(", "),
  ];
}

function describeNotCarriedOver(items: readonly { object: string; reason: string }[]): string[] {
  return items.map(({ object, reason }) => `NOT CARRIED OVER  ${object}: ${reason}`);
}
