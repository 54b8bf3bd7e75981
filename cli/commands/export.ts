import { mkdir } from "node:fs/promises";
import { exportLog } from "../../lib/restore/export-log.ts";
import { print, type AddCommand } from "../command.ts";
import { addReadOptions, describeOpened, openOneSource, type ReadOptions, reportOf } from "../source-context.ts";
import { formatBytes, formatTable } from "../table.ts";

interface ExportOptions extends ReadOptions {
  binlog: string;
}

export const addExport: AddCommand = (program) => {
  const command = program
    .command("export")
    .description("give the log of a source back as the server's own files; needs the private key")
    .argument("[source]", "name of a source in the policy")
    .requiredOption("--binlog <dir>", "folder for the binlog files; made when it is not there");
  addReadOptions(command).action(async (named: string | undefined, options: ExportOptions) => {
    const opened = await openOneSource(named, options, "export");
    const { context, source, vault } = opened;
    await mkdir(options.binlog, { recursive: true, mode: 0o700 });
    const files = await exportLog(context, { source, folder: options.binlog, vault });
    const rows = files.map(({ name, sizeBytes, isWhole }) => [
      name,
      formatBytes(sizeBytes),
      isWhole ? "from its first byte" : "in parts",
    ]);
    const lines = [...formatTable(["file", "size", "holds"], rows), ...describeOpened(opened)];
    print(options, { source, files, ...reportOf(opened) }, lines);
  });
};
