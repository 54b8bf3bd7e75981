import { execFile } from "node:child_process";
import { constants, cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { AppError } from "../../lib/core/errors.ts";
import { cacheFolder } from "./cache.ts";
import type { DebianRoot } from "./debian-root.ts";
import { makeFolderOnce } from "./make-folder.ts";
import { installationOptions } from "./mysql-programs.ts";

const exec = promisify(execFile);

/** Fills `dataDir` with a fresh, empty server's files: a copy of a template that is initialised once for each version. */
export async function copyTemplate(root: DebianRoot, dataDir: string): Promise<void> {
  const template = join(cacheFolder(), "servers", `mysql-data-${root.packages["mysql-server-core"]}`);
  await makeFolderOnce(template, (work) => initialise(root, join(work, "data")));
  await cp(template, dataDir, { recursive: true, mode: constants.COPYFILE_FICLONE });
  // Two servers with one server_uuid would take each other's transactions for their own.
  await rm(join(dataDir, "auto.cnf"), { force: true });
}

async function initialise(root: DebianRoot, dataDir: string): Promise<string> {
  const options = ["--no-defaults", "--initialize-insecure", ...installationOptions(root), "--skip-log-bin"];
  const [file, ...args] = root.command("sbin/mysqld", [...options, `--datadir=${dataDir}`]);
  try {
    await exec(file, args, { timeout: 120_000 });
    return dataDir;
  } catch (error: unknown) {
    throw new AppError("LOCAL_SERVER_FAILED", `mysqld --initialize-insecure failed in ${dataDir}`, {
      hint: "Look at the cause: most often the disk is full.",
      cause: error,
    });
  }
}
