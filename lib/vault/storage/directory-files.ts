import { mkdir, open, realpath } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { AppError } from "../../core/errors.ts";
import { attempt, isAbsent, translate } from "./directory-errors.ts";

/** Group-readable, for an operator who restores by hand; everything in a vault is sealed or signed. */
const FOLDER_MODE = 0o750;

/** A folder of a vault on disk. Whatever is opened in it lies in it: no symbolic link leads out. */
export interface Folder {
  readonly label: string;
  /** Absolute, as configured. */
  readonly path: string;
}

export function folderOf(label: string, vaultPath: string, name: "data" | "state" | "incoming"): Folder {
  return { label, path: join(resolve(vaultPath), name) };
}

/** Makes the folder and its parents where they are absent, durably. */
export async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: FOLDER_MODE });
  if (first === undefined) return;
  // Each new folder is an entry of its parent, and exists after a power cut only when the parent was synced.
  for (let folder = path; folder.length >= first.length; folder = dirname(folder)) await syncFolder(dirname(folder));
}

/** Makes the entries of a folder durable. Windows does so by itself and refuses the call. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * The path of a name in the folder, when the folder that shall hold it exists and is where it seems to be.
 * Undefined when it does not exist. Throws STORAGE_REFUSED when a symbolic link leads elsewhere.
 */
export async function locate(folder: Folder, name: string): Promise<string | undefined> {
  const root = await realRoot(folder);
  const path = join(root, ...name.split("/"));
  try {
    const parent = await realpath(dirname(path));
    if (parent === dirname(path)) return path;
  } catch (error: unknown) {
    if (isAbsent(error)) return undefined;
    throw translate(folder.label, `find ${JSON.stringify(name)}`, error);
  }
  throw new AppError(
    "STORAGE_REFUSED",
    `vault ${folder.label}: the folder of ${JSON.stringify(name)} is a symbolic link`,
    {
      hint: "Remove the link: a vault's folders must be real folders inside the vault's path.",
    },
  );
}

/** As `locate`, making the folders on the way; from the top down, since mkdir follows links and `locate` does not. */
export async function locateForWriting(folder: Folder, name: string): Promise<string> {
  const found = await locate(folder, name);
  if (found !== undefined) return found;
  const action = `make the folder of ${JSON.stringify(name)}`;
  const parts = name.split("/");
  for (let depth = 1; depth < parts.length; depth++) {
    const level = await locate(folder, parts.slice(0, depth).join("/"));
    if (level !== undefined) await attempt(folder.label, action, () => makeFolder(level));
  }
  const path = await locate(folder, name);
  if (path !== undefined) return path;
  throw new AppError(
    "STORAGE_UNAVAILABLE",
    `vault ${folder.label}: can't ${action}: it was removed at the same moment`,
  );
}

/** The folder itself must be there: a disk that is not mounted must not look like a vault without backups. */
async function realRoot(folder: Folder): Promise<string> {
  try {
    return await realpath(folder.path);
  } catch (error: unknown) {
    if (!isAbsent(error)) throw translate(folder.label, "open the vault's folder", error);
    throw new AppError("STORAGE_REFUSED", `vault ${folder.label}: there is no folder ${folder.path}`, {
      hint: "Check that the disk is mounted and the path in the policy is right; a backup makes the folders of a new vault.",
      cause: error,
    });
  }
}
