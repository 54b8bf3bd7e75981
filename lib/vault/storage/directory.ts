import { lstat, rmdir, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { assertBlobName } from "./blob-name.ts";
import { errnoOf, isAbsent, translate } from "./directory-errors.ts";
import { folderOf, locate, syncFolder, type Folder } from "./directory-files.ts";
import { listFiles } from "./directory-list.ts";
import { folderClock } from "./directory-clock.ts";
import { prepareDirectory } from "./directory-prepare.ts";
import { readBlobFile } from "./directory-read.ts";
import { directoryState } from "./directory-state.ts";
import { createFile } from "./directory-write.ts";
import type { BlobStat, Storage, VaultStorage } from "./storage.ts";

/**
 * A vault in a directory of a local or network file system with hard links. A blob is the file of its name in `data`,
 * so a copy of that folder is a copy of the vault; no blob's name may be the folder of another.
 */
export function openDirectoryVault(label: string, path: string): VaultStorage {
  const data = folderOf(label, path, "data");
  const state = folderOf(label, path, "state");
  const incoming = folderOf(label, path, "incoming");
  return {
    data: directoryStorage(data, incoming),
    state: directoryState(state, incoming),
    now: () => folderClock(incoming),
    prepare: () => prepareDirectory([data, state, incoming], incoming),
  };
}

function directoryStorage(folder: Folder, incoming: Folder): Storage {
  return {
    label: folder.label,
    async create(name, data, options = {}) {
      assertBlobName(name);
      return createFile(folder, incoming, name, data, options);
    },
    async stat(name) {
      assertBlobName(name);
      return statFile(folder, name);
    },
    read(name, range, options = {}) {
      return readBlobFile(folder, name, range, options);
    },
    list(prefix, options = {}) {
      return listFiles(folder, prefix, options);
    },
    async remove(name) {
      assertBlobName(name);
      await removeFile(folder, name);
    },
  };
}

async function statFile(folder: Folder, name: string): Promise<BlobStat | undefined> {
  const path = await locate(folder, name);
  if (path === undefined) return undefined;
  try {
    const found = await lstat(path);
    return found.isFile() ? { name, sizeBytes: found.size, createdAt: found.mtime } : undefined;
  } catch (error: unknown) {
    if (isAbsent(error)) return undefined;
    throw translate(folder.label, `look up blob ${JSON.stringify(name)}`, error);
  }
}

async function removeFile(folder: Folder, name: string): Promise<void> {
  const path = await locate(folder, name);
  if (path === undefined) return;
  try {
    await unlink(path);
    // What is removed next may rely on this one being gone, also after a power cut.
    await syncFolder(dirname(path));
  } catch (error: unknown) {
    if (!isAbsent(error)) throw translate(folder.label, `remove blob ${JSON.stringify(name)}`, error);
  }
  await removeEmptyFolders(folder, name);
}

async function removeEmptyFolders(folder: Folder, name: string): Promise<void> {
  const parts = name.split("/");
  for (let depth = parts.length - 1; depth > 0; depth--) {
    const path = await locate(folder, parts.slice(0, depth).join("/"));
    if (path === undefined) return;
    try {
      await rmdir(path);
    } catch (error: unknown) {
      const errno = errnoOf(error) ?? "";
      if (["ENOTEMPTY", "EEXIST", "ENOENT"].includes(errno)) return;
      throw translate(folder.label, `remove the empty folder ${path}`, error);
    }
  }
}
