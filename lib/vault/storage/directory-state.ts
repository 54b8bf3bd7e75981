import { randomUUID } from "node:crypto";
import { readdir, readFile, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError } from "../../core/errors.ts";
import { assertStateKey } from "./blob-name.ts";
import { attempt, isAbsent, translate } from "./directory-errors.ts";
import { locate, type Folder } from "./directory-files.ts";
import { createFile } from "./directory-write.ts";
import { stateConflict } from "./outcomes.ts";
import type { StateStore } from "./storage.ts";

// A key is a folder; each change of its record is the next version, a file that is created once and never changed:
//   <state>/<key, percent-encoded>/000000000042 = "<id> <id of version 41> kept|removed\n<value>"
// The newest version is the record. Two writers who saw version 41 both try to create 42, and the file system lets one win:
// no locks, so none is left behind by a process that died. A removed record is a version too, else numbers would start again.
//
// Versions are removed from the lowest, each a minute after it was replaced, and never the newest. So a listing always holds
// the version that was newest when it began. A writer that slept longer than that minute may succeed in creating a version
// that existed once and is gone; it finds out by looking again (see `wasAccepted`).

const KEPT_AFTER_REPLACEMENT_MS = 60_000;
const VERSION_NAME = /^\d{12,15}$/;

interface Version {
  number: number;
  id: string;
  parent: string;
  removed: boolean;
  value: Buffer;
}

export function directoryState(folder: Folder, incoming: Folder): StateStore {
  async function append(key: string, base: Version | undefined, removed: boolean, value: Uint8Array): Promise<string> {
    const number = (base?.number ?? 0) + 1;
    const id = randomUUID();
    const head = Buffer.from(`${id} ${base?.id ?? "-"} ${removed ? "removed" : "kept"}\n`);
    try {
      await createFile(folder, incoming, fileName(key, number), Buffer.concat([head, value]), {});
    } catch (error: unknown) {
      if (error instanceof AppError && error.code === "BLOB_EXISTS") throw stateConflict(folder.label, key, error);
      throw error;
    }
    if (!(await wasAccepted(folder, key, number, id))) throw stateConflict(folder.label, key);
    // The record is written by now; what could not be removed is removed by the next writer.
    await removeReplaced(folder, key).catch(() => undefined);
    return id;
  }

  return {
    async get(key) {
      assertStateKey(key);
      const newest = await readNewest(folder, key);
      return newest === undefined || newest.removed ? undefined : { value: newest.value, etag: newest.id };
    },
    async put(key, value, condition) {
      assertStateKey(key);
      const newest = await readNewest(folder, key);
      const found = newest === undefined || newest.removed ? undefined : newest.id;
      if (found !== (condition === "absent" ? undefined : condition.etag)) throw stateConflict(folder.label, key);
      return append(key, newest, false, value);
    },
    async remove(key, etag) {
      assertStateKey(key);
      const newest = await readNewest(folder, key);
      if (newest === undefined || newest.removed) return;
      if (etag !== undefined && etag !== newest.id) throw stateConflict(folder.label, key);
      await append(key, newest, true, Buffer.alloc(0));
    },
    async *list(prefix) {
      await locate(folder, "-");
      const entries = await attempt(folder.label, "list the state", () =>
        readdir(folder.path, { withFileTypes: true }),
      );
      const keys = entries.flatMap((entry) => (entry.isDirectory() ? keysOf(entry.name) : []));
      for (const key of keys.toSorted()) {
        if (!key.startsWith(prefix)) continue;
        const newest = await readNewest(folder, key);
        if (newest !== undefined && !newest.removed) yield key;
      }
    },
  };
}

/** No newer version, or one made by somebody who had read this one: it was the newest once, and nothing was lost by it. */
async function wasAccepted(folder: Folder, key: string, number: number, id: string): Promise<boolean> {
  const newest = (await listVersions(folder, key)).at(-1);
  if (newest === number) return true;
  return (await readVersion(folder, key, number + 1))?.parent === id;
}

async function readNewest(folder: Folder, key: string): Promise<Version | undefined> {
  for (;;) {
    const number = (await listVersions(folder, key)).at(-1);
    if (number === undefined) return undefined;
    const version = await readVersion(folder, key, number);
    if (version !== undefined) return version;
  }
}

/** In order; empty where the key never had a record. */
async function listVersions(folder: Folder, key: string): Promise<number[]> {
  const path = await locate(folder, fileName(key, 0));
  if (path === undefined) return [];
  try {
    const names = await readdir(dirname(path));
    return names
      .filter((name) => VERSION_NAME.test(name))
      .map(Number)
      .toSorted((a, b) => a - b);
  } catch (error: unknown) {
    if (isAbsent(error)) return [];
    throw translate(folder.label, `read state record ${JSON.stringify(key)}`, error);
  }
}

async function readVersion(folder: Folder, key: string, number: number): Promise<Version | undefined> {
  const path = await locate(folder, fileName(key, number));
  if (path === undefined) return undefined;
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error: unknown) {
    if (isAbsent(error)) return undefined;
    throw translate(folder.label, `read state record ${JSON.stringify(key)}`, error);
  }
  const lineEnd = bytes.indexOf("\n");
  const [id, parent, mark] = bytes.toString("latin1", 0, lineEnd).split(" ");
  if (id === undefined || parent === undefined || (mark !== "kept" && mark !== "removed")) {
    throw new AppError("STORAGE_REFUSED", `vault ${folder.label}: state record ${path} is damaged`, {
      hint: "Stop all workers and remove the record's folder: state is rebuilt from the data.",
    });
  }
  return { number, id, parent, removed: mark === "removed", value: bytes.subarray(lineEnd + 1) };
}

async function removeReplaced(folder: Folder, key: string): Promise<void> {
  const path = await locate(folder, fileName(key, 0));
  if (path === undefined) return;
  const files = (await listVersions(folder, key)).map((number) => join(dirname(path), versionName(number)));
  // Files are compared with files: the clock of a file server need not be ours.
  const times = await Promise.all(files.map(modifiedAt));
  const newest = times.at(-1) ?? 0;
  for (const [index, file] of files.slice(0, -1).entries()) {
    const replacedAt = times[index + 1];
    if (replacedAt === undefined || newest - replacedAt < KEPT_AFTER_REPLACEMENT_MS) return;
    // Stops at the first that can't be removed: a lower version must be gone before a higher one goes.
    await unlink(file);
  }
}

async function modifiedAt(path: string): Promise<number> {
  return (await stat(path)).mtimeMs;
}

/** The key that a folder is named after; none for a folder that no vault made. */
function keysOf(folderName: string): string[] {
  try {
    const key = decodeURIComponent(folderName);
    return encodeURIComponent(key) === folderName ? [key] : [];
  } catch {
    return [];
  }
}

function fileName(key: string, number: number): string {
  return `${encodeURIComponent(key)}/${versionName(number)}`;
}

function versionName(number: number): string {
  return String(number).padStart(12, "0");
}
