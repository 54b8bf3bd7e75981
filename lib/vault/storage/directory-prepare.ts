import { randomUUID } from "node:crypto";
import { link, lstat, readdir, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../core/errors.ts";
import { attempt, isAbsent, translateLink } from "./directory-errors.ts";
import { makeFolder, type Folder } from "./directory-files.ts";

/** A live write touches its file all the time; one that was quiet for a day belongs to a process that died. */
const ABANDONED_MS = 24 * 60 * 60 * 1000;

/** Makes the folders, proves that they can take a blob, and removes what dead processes left in `incoming`. */
export async function prepareDirectory(folders: readonly Folder[], incoming: Folder): Promise<void> {
  for (const folder of folders) {
    await attempt(folder.label, `make the folder ${folder.path}`, () => makeFolder(folder.path));
  }
  await assertOneFileSystem(folders, incoming);
  await assertHardLinks(incoming);
  await attempt(incoming.label, `tidy ${incoming.path}`, () => sweepIncoming(incoming));
}

async function assertOneFileSystem(folders: readonly Folder[], incoming: Folder): Promise<void> {
  const deviceOf = async (folder: Folder): Promise<number> =>
    (await attempt(folder.label, `look up ${folder.path}`, () => stat(folder.path))).dev;
  const expected = await deviceOf(incoming);
  for (const folder of folders) {
    if ((await deviceOf(folder)) === expected) continue;
    throw new AppError(
      "STORAGE_REFUSED",
      `vault ${folder.label}: ${folder.path} and ${incoming.path} are on different file systems`,
      {
        hint: "Mount the file system at the vault's path itself, not at a folder inside.",
      },
    );
  }
}

/** Before the first blob, since a backup of hours must not find out at its end. */
async function assertHardLinks(incoming: Folder): Promise<void> {
  const path = join(incoming.path, `probe-${randomUUID()}`);
  await attempt(incoming.label, `write in ${incoming.path}`, () => writeFile(path, "", { flag: "wx" }));
  try {
    await link(path, `${path}-link`);
    await unlink(`${path}-link`);
  } catch (error: unknown) {
    throw translateLink(incoming.label, `write in ${incoming.path}`, error);
  } finally {
    await attempt(incoming.label, `write in ${incoming.path}`, () => unlink(path));
  }
}

async function sweepIncoming(incoming: Folder): Promise<void> {
  for (const name of await readdir(incoming.path)) {
    const path = join(incoming.path, name);
    try {
      const { mtimeMs } = await lstat(path);
      if (Date.now() - mtimeMs > ABANDONED_MS) await unlink(path);
    } catch (error: unknown) {
      if (!isAbsent(error)) throw error;
    }
  }
}
