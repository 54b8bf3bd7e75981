import { recoveryWindowsOf, type VaultWindows } from "../../lib/restore/list.ts";
import { print, type AddCommand } from "../command.ts";
import { describeExpected } from "../describe-restore.ts";
import { addReadOptions, describeOpened, openOneSource, type ReadOptions, reportOf } from "../source-context.ts";
import { formatTable } from "../table.ts";

export const addWindow: AddCommand = (program, state) => {
  const command = program
    .command("window")
    .description("show the intervals in which every instant can be restored")
    .argument("[source]", "name of a source in the policy");
  addReadOptions(command).action(async (named: string | undefined, options: ReadOptions) => {
    const opened = await openOneSource(named, options, "window");
    const { source } = opened;
    const vaults = await recoveryWindowsOf(opened.context, source);
    const rows = vaults.flatMap(({ vault, windows, error }) =>
      error
        ? [[vault, "-", "-", `${error.code}: ${error.message}`, "-"]]
        : windows.map((window) => [vault, window.from, window.until, window.backup, describeExpected(window)]),
    );
    const lines =
      rows.length === 0
        ? ["nothing can be restored yet"]
        : [
            ...formatTable(["vault", "from", "until", "newest backup", "to restore its end"], rows),
            ...vaults.flatMap(describeGaps),
          ];
    print(options, { source, vaults, ...reportOf(opened) }, [...lines, ...describeOpened(opened)]);
    if (vaults.some(({ windows }) => windows.length === 0)) state.exitCode = 1;
  });
};

function describeGaps({ vault, gaps, unusable }: VaultWindows): string[] {
  return [
    ...gaps.map(({ from, until, message }) => `GAP in ${vault}: nothing between ${from} and ${until}: ${message}`),
    ...(unusable ? [`GAP in ${vault}: the newest log waits for a full backup: ${unusable.message}`] : []),
  ];
}
