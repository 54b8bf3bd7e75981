import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { isAbsent, translate } from "./directory-errors.ts";
import { locate, type Folder } from "./directory-files.ts";
import type { BlobStat, CallOptions } from "./storage.ts";

const STATS_AT_ONCE = 32;

interface Entry {
  /** A file's name from the vault's root; a folder's ends in a slash, which also sorts it where its blobs belong. */
  key: string;
  isFolder: boolean;
}

interface Wanted extends CallOptions {
  prefix: string;
  after: string;
}

/** Walks from the root down, entering only folders that can hold a wanted name; one folder's names are in memory at a time. */
export async function* listFiles(
  folder: Folder,
  prefix: string,
  options: CallOptions & { after?: string },
): AsyncGenerator<BlobStat, void, undefined> {
  // Finds out whether the vault itself is there; a folder below may vanish at any time.
  await locate(folder, "-");
  yield* walk(folder, "", { ...options, prefix, after: options.after ?? "" });
}

async function* walk(folder: Folder, parent: string, wanted: Wanted): AsyncGenerator<BlobStat, void, undefined> {
  const entries = await readEntries(folder, parent, wanted);
  for (let index = 0; index < entries.length;) {
    wanted.signal?.throwIfAborted();
    const rest = entries.slice(index, index + STATS_AT_ONCE);
    const [first] = rest;
    if (first?.isFolder === true) {
      yield* walk(folder, first.key, wanted);
      index++;
      continue;
    }
    const folderAt = rest.findIndex((entry) => entry.isFolder);
    const files = folderAt === -1 ? rest : rest.slice(0, folderAt);
    for (const found of await Promise.all(files.map((file) => statEntry(folder, file.key)))) if (found) yield found;
    index += files.length;
  }
}

/** Links and other things that no vault writes are left out. */
async function readEntries(folder: Folder, parent: string, wanted: Wanted): Promise<Entry[]> {
  try {
    const found = await readdir(join(folder.path, parent), { withFileTypes: true });
    return found
      .filter((entry) => entry.isFile() || entry.isDirectory())
      .map((entry) => ({ key: parent + entry.name + (entry.isDirectory() ? "/" : ""), isFolder: entry.isDirectory() }))
      .filter((entry) => (entry.isFolder ? mayHold(entry.key, wanted) : isWanted(entry.key, wanted)))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  } catch (error: unknown) {
    if (isAbsent(error) && parent !== "") return [];
    throw translate(folder.label, `list ${JSON.stringify(parent)}`, error);
  }
}

function isWanted(name: string, { prefix, after }: Wanted): boolean {
  return name.startsWith(prefix) && name > after;
}

function mayHold(folderKey: string, { prefix, after }: Wanted): boolean {
  const matches = folderKey.startsWith(prefix) || prefix.startsWith(folderKey);
  return matches && (folderKey > after || after.startsWith(folderKey));
}

async function statEntry(folder: Folder, name: string): Promise<BlobStat | undefined> {
  try {
    const found = await lstat(join(folder.path, name));
    return { name, sizeBytes: found.size, createdAt: found.mtime };
  } catch (error: unknown) {
    if (isAbsent(error)) return undefined;
    throw translate(folder.label, `look up blob ${JSON.stringify(name)}`, error);
  }
}
