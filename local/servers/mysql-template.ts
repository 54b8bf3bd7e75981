import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { constants, cp, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { AppError } from "../../lib/core/errors.ts";
import { cacheFolder } from "./cache.ts";
import type { DebianRoot } from "./debian-root.ts";
import { installationOptions } from "./mysql-programs.ts";

const exec = promisify(execFile);

/** Fills `dataDir` with a fresh, empty server's files: a copy of a template that is initialised once for each version. */
export async function copyTemplate(root: DebianRoot, dataDir: string): Promise<void> {
  const template = await templateFolder(root);
  await cp(template, dataDir, { recursive: true, mode: constants.COPYFILE_FICLONE });
  // Two servers with one server_uuid would take each other's transactions for their own.
  await rm(join(dataDir, "auto.cnf"), { force: true });
}

async function templateFolder(root: DebianRoot): Promise<string> {
  const folder = join(cacheFolder(), "servers", `mysql-data-${root.packages["mysql-server-core"]}`);
  if (existsSync(folder)) return folder;
  await mkdir(join(cacheFolder(), "servers"), { recursive: true });
  const work = await mkdtemp(join(cacheFolder(), "servers", ".data-"));
  try {
    await initialise(root, join(work, "data"));
    await rename(join(work, "data"), folder);
  } catch (error: unknown) {
    if (!existsSync(folder)) throw error;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}

async function initialise(root: DebianRoot, dataDir: string): Promise<void> {
  const options = ["--no-defaults", "--initialize-insecure", ...installationOptions(root), "--skip-log-bin"];
  const [file, ...args] = root.command("sbin/mysqld", [...options, `--datadir=${dataDir}`]);
  try {
    await exec(file, args, { timeout: 120_000 });
  } catch (error: unknown) {
    throw new AppError("LOCAL_SERVER_FAILED", `mysqld --initialize-insecure failed in ${dataDir}`, {
      hint: "Look at the cause: most often the disk is full.",
      cause: error,
    });
  }
}
