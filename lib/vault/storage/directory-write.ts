import { randomUUID } from "node:crypto";
import { link, lstat, open, unlink, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError } from "../../core/errors.ts";
import { chunksOf, hasherFor } from "./chunks.ts";
import { attempt, errnoOf, isAbsent, translateLink } from "./directory-errors.ts";
import { locateForWriting, syncFolder, type Folder } from "./directory-files.ts";
import { blobExists } from "./outcomes.ts";
import { SequentialWriter } from "./sequential-writer.ts";
import type { CreatedBlob, CreateOptions } from "./storage.ts";

/** Nothing changes a blob after it was written; the mode keeps accidents away. */
const BLOB_MODE = 0o440;

/**
 * A blob is written and synced under a random name in `incoming`, then linked to its own name, which fails if that exists.
 * Before the link nobody sees it; after the link and the sync of its folder it is there for good. A process that dies
 * leaves a file in `incoming`, which `sweepIncoming` removes.
 */
export async function createFile(
  folder: Folder,
  incoming: Folder,
  name: string,
  data: AsyncIterable<Uint8Array> | Uint8Array,
  options: CreateOptions,
): Promise<CreatedBlob> {
  const action = `write blob ${JSON.stringify(name)}`;
  const temporary = join(incoming.path, randomUUID());
  const handle = await attempt(folder.label, action, () => open(temporary, "wx", BLOB_MODE));
  try {
    const created = await writeChunks(handle, folder.label, action, data, options);
    // Network file systems report a failed write as late as this.
    await attempt(folder.label, action, () => handle.close());
    await linkBlob(folder, temporary, name);
    return created;
  } finally {
    await handle.close();
    // What can't be removed now is swept later; it says nothing about the blob.
    await unlink(temporary).catch(() => undefined);
  }
}

/** Gives a finished file its name, durably. Throws BLOB_EXISTS. */
async function linkBlob(folder: Folder, temporary: string, name: string): Promise<void> {
  const action = `write blob ${JSON.stringify(name)}`;
  for (let tries = 3; ; tries--) {
    const path = await locateForWriting(folder, name);
    try {
      await link(temporary, path);
    } catch (error: unknown) {
      // The folder was empty, and a remove() took it away after it was found.
      if (isAbsent(error) && tries > 0) continue;
      if (errnoOf(error) !== "EEXIST") throw translateLink(folder.label, action, error);
      // NFS repeats a call whose answer was lost, and then meets its own link.
      if (!(await isSameFile(temporary, path))) throw blobExists(folder.label, name, error);
    }
    await attempt(folder.label, action, () => syncFolder(dirname(path)));
    return;
  }
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  const [{ dev, ino }, found] = await Promise.all([lstat(one), lstat(other)]);
  return dev === found.dev && ino === found.ino;
}

/** Writes while the next chunks come and are hashed. */
async function writeChunks(
  handle: FileHandle,
  label: string,
  action: string,
  data: AsyncIterable<Uint8Array> | Uint8Array,
  options: CreateOptions,
): Promise<CreatedBlob> {
  const hasher = hasherFor(options);
  const writer = new SequentialWriter(handle);
  try {
    for await (const chunk of chunksOf(data, options.signal)) {
      await attempt(label, action, () => writer.add(chunk));
      hasher.update(chunk);
    }
    await attempt(label, action, () => writer.finish());
  } finally {
    await writer.settled();
  }
  const { size } = await attempt(label, action, () => handle.stat());
  if (size !== writer.sizeBytes) {
    throw new AppError(
      "STORAGE_UNAVAILABLE",
      `vault ${label}: can't ${action}: ${size} of ${writer.sizeBytes} bytes arrived`,
    );
  }
  return { sizeBytes: size, sha256: hasher.digest() };
}
