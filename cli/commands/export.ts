import { mkdir } from "node:fs/promises";
import { exportLog } from "../../lib/restore/export-log.ts";
import { openCommandContext, print, type AddCommand, type CommonOptions } from "../command.ts";
import { formatBytes, formatTable } from "../table.ts";

interface ExportOptions extends CommonOptions {
  binlog: string;
  vault?: string;
}

export const addExport: AddCommand = (program) => {
  program
    .command("export")
    .description("give the log of a source back as the server's own files; needs the private key")
    .argument("<source>", "name of a source in the policy")
    .requiredOption("--binlog <dir>", "folder for the binlog files; made when it is not there")
    .option("--vault <name>", "read from this vault")
    .action(async (source: string, options: ExportOptions) => {
      const context = await openCommandContext(options);
      await mkdir(options.binlog, { recursive: true, mode: 0o700 });
      const files = await exportLog(context, { source, folder: options.binlog, vault: options.vault });
      const rows = files.map(({ name, sizeBytes, isWhole }) => [
        name,
        formatBytes(sizeBytes),
        isWhole ? "from its first byte" : "in parts",
      ]);
      print(options, { source, files }, formatTable(["file", "size", "holds"], rows));
    });
};
