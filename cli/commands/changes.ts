import { AppError } from "../../lib/core/errors.ts";
import { Option } from "commander";
import { readChanges, type VaultChanges } from "../../lib/restore/changes.ts";
import {
  CHANGE_KINDS,
  type ChangeKind,
  type ChangeCounts,
  type RowChange,
  type TransactionChanges,
} from "../../lib/sources/changes.ts";
import { collect, print, type AddCommand } from "../command.ts";
import { addReadOptions, describeOpened, openOneSource, type ReadOptions, reportOf } from "../source-context.ts";
import { formatBytes, formatCount, formatTable } from "../table.ts";

interface ChangesOptions extends ReadOptions {
  from?: string;
  to?: string;
  table?: string[];
  kind?: ChangeKind;
  at?: string;
  values?: true;
  rows: string;
}

export const addChanges: AddCommand = (program) => {
  const command = program
    .command("changes")
    .description("show what happened, per minute and table, from the log in a vault; needs the private key")
    .argument("[source]", "name of a source in the policy")
    .option("--from <time>", "commits at or after it; default: the start of the log")
    .option("--to <time>", "commits at or before it; default: the end of the log")
    .option("--table <schema.table>", "only this table, or schema; may be repeated", collect)
    .addOption(new Option("--kind <kind>", "only changes of this kind").choices(CHANGE_KINDS))
    .option("--at <gtid>", "only this transaction")
    .option("--values", "also the texts of statements, and with --at the values of the rows: both are data")
    .option("--rows <number>", "how many rows and statements of a transaction to show at most", "100");
  addReadOptions(command).action(async (named: string | undefined, options: ChangesOptions) => {
    const { from, to, at, table = [], kind, values = false } = options;
    const opened = await openOneSource(named, options, "changes");
    const { context, source, vault } = opened;
    const kinds = kind === undefined ? [] : [kind];
    const rows = parseCount(options.rows);
    const request = { source, from, to, at, vault, tables: table, kinds, values, rows };
    const report = await readChanges(context, request);
    const lines = at === undefined ? describe(report) : report.largest.flatMap(describeTransaction);
    print(options, { ...report, ...reportOf(opened) }, [...lines, ...describeOpened(opened)]);
  });
};

const COUNTS = ["inserted", "updated", "deleted", "ddl", "statements"] as const;

function describe({ transactions, minutes, largest }: VaultChanges): string[] {
  if (transactions === 0) return ["nothing was changed then, as far as the log in the vault says"];
  const rows = minutes.map((entry) => [entry.minute, entry.table, ...countsOf(entry), entry.gtids || "-"]);
  const few = largest.map((entry) => [
    entry.gtid ?? "-",
    entry.committedAt,
    formatBytes(entry.bytes),
    entry.tables.map(({ table }) => table).join(" "),
  ]);
  return [
    ...formatTable(["minute", "table", ...COUNTS, "gtids"], rows),
    "",
    `${formatCount(transactions)} transactions; the largest:`,
    ...formatTable(["gtid", "committed at", "size", "tables"], few),
    ...largest.flatMap(({ texts = [] }) => texts.map(quote)),
  ];
}

function describeTransaction(changes: TransactionChanges): string[] {
  const { gtid, committedAt, bytes, tables, texts = [], rows = [], textsNotShown = 0, rowsNotShown = 0 } = changes;
  return [
    `${gtid ?? "a transaction without a GTID"}, committed at ${committedAt}, ${formatBytes(bytes)} of log`,
    ...formatTable(
      ["table", ...COUNTS],
      tables.map((entry) => [entry.table, ...countsOf(entry)]),
    ),
    ...texts.map(quote),
    ...(textsNotShown > 0 ? [`and ${formatCount(textsNotShown)} more statements`] : []),
    ...rows.flatMap(describeRow),
    ...(rowsNotShown > 0 ? [`and ${formatCount(rowsNotShown)} more rows`] : []),
  ];
}

function describeRow({ table, kind, before, after }: RowChange): string[] {
  return [
    `${kind} ${table}`,
    ...(before ? [`  before  ${describeImage(before)}`] : []),
    ...(after ? [`  after   ${describeImage(after)}`] : []),
  ];
}

function describeImage(image: Record<string, string | null>): string {
  return Object.entries(image)
    .map(([name, value]) => `${quote(name)}: ${value === null ? "NULL" : quote(value)}`)
    .join(", ");
}

/** Data may hold anything, also what a terminal obeys. */
function quote(text: string): string {
  return JSON.stringify(text).replaceAll(/[\u007f-\u009f]/g, (control) => `\\u00${control.charCodeAt(0).toString(16)}`);
}

function parseCount(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0 && number <= 100_000) return number;
  throw new AppError("USAGE", `--rows: found "${text}", expected a number from 0 to 100000`);
}

function countsOf(counts: ChangeCounts): string[] {
  return COUNTS.map((field) => formatCount(counts[field]));
}
