import { listBackups, type ListedBackup } from "../../lib/restore/list.ts";
import { openCommandContext, print, type AddCommand, type CommonOptions } from "../command.ts";
import { formatBytes, formatCount, formatTable } from "../table.ts";

export const addList: AddCommand = (program, state) => {
  program
    .command("list")
    .description("show the backups in every vault, with what can't be restored and why")
    .argument("[source]", "only this source")
    .action(async (source: string | undefined, options: CommonOptions) => {
      const backups = await listBackups(await openCommandContext(options), source);
      const lines = backups.length === 0 ? ["there is no backup yet"] : formatTable(HEADER, backups.map(describe));
      print(options, { backups }, lines);
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
