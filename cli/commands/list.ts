import { listBackups, type ListedBackup } from "../../lib/restore/list.ts";
import { print, type AddCommand } from "../command.ts";
import { addReadOptions, describeOpened, openEveryVault, type ReadOptions, reportOf } from "../source-context.ts";
import { formatBytes, formatCount, formatTable } from "../table.ts";

export const addList: AddCommand = (program, state) => {
  const command = program
    .command("list")
    .description("show the backups in every vault, with what can't be restored and why")
    .argument("[source]", "only this source");
  addReadOptions(command).action(async (named: string | undefined, options: ReadOptions) => {
    const opened = await openEveryVault(named, options, "list");
    const backups = await listBackups(opened.context, opened.source);
    const lines = backups.length === 0 ? ["there is no backup yet"] : formatTable(HEADER, backups.map(describe));
    print(options, { backups, ...reportOf(opened) }, [...lines, ...describeOpened(opened)]);
    if (backups.some(({ error }) => error)) state.exitCode = 1;
  });
};

const HEADER = ["source", "vault", "backup", "consistent at", "tables", "rows", "stored", "state"];

function describe(backup: ListedBackup): string[] {
  const { source, vault, id, error } = backup;
  if (error) return [source, vault, id ?? "-", "-", "-", "-", "-", `${error.code}: ${error.message}`];
  const { consistentAt, tables, rows, storedBytes } = backup;
  return [
    source,
    vault,
    id,
    consistentAt,
    formatCount(tables),
    formatCount(rows),
    formatBytes(storedBytes),
    ["restorable", ...protections(backup)].join(", "),
  ];
}

function protections({ held, immutableUntil, legalHold, tiers }: ListedBackup & { error?: never }): string[] {
  const other = Object.entries(tiers ?? {}).filter(([tier]) => tier !== "hot");
  return [
    ...(held ? [`held${held.until === null ? "" : ` until ${held.until}`}: ${held.reason}`] : []),
    ...(immutableUntil === null ? [] : [`immutable until ${immutableUntil}`]),
    ...(legalHold ? ["legal hold"] : []),
    ...other.map(([tier, bytes]) => `${formatBytes(bytes)} ${tier}`),
  ];
}
