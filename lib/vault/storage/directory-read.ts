import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { assertBlobName } from "./blob-name.ts";
import { attempt, errnoOf, translate } from "./directory-errors.ts";
import { locate, type Folder } from "./directory-files.ts";
import { blobChanged, blobMissing } from "./outcomes.ts";
import type { ByteRange, CallOptions } from "./storage.ts";

const READ_BYTES = 1024 * 1024;
/** Where a folder of blobs lies, links resolved, is asked once in this time: a plan reads thousands of blobs of one folder. */
const LOCATED_FOR_MS = 1000;

/** Reads one piece ahead, so that the disk works while the caller does. */
export async function* readBlobFile(
  folder: Folder,
  name: string,
  range: ByteRange | undefined,
  options: CallOptions,
): AsyncGenerator<Buffer, void, undefined> {
  assertBlobName(name);
  options.signal?.throwIfAborted();
  const action = `read blob ${JSON.stringify(name)}`;
  const { handle, size } = await openBlob(folder, name);
  let next: Promise<Buffer> = Promise.resolve(Buffer.alloc(0));
  try {
    const start = range?.offset ?? 0;
    const end = Math.min(size, start + (range?.length ?? size));
    next = readPiece(handle, start, end);
    for (let position = start; position < end; position += READ_BYTES) {
      const piece = await attempt(folder.label, action, () => next);
      if (piece.length < Math.min(READ_BYTES, end - position)) throw blobChanged(folder.label, name);
      options.signal?.throwIfAborted();
      next = readPiece(handle, position + READ_BYTES, end);
      // Awaited in the next round; a caller who stops here must not meet it as unhandled.
      next.catch(() => undefined);
      yield piece;
    }
  } finally {
    await Promise.allSettled([next]);
    await handle.close();
  }
}

async function openBlob(folder: Folder, name: string): Promise<{ handle: FileHandle; size: number }> {
  const handle = await openFile(folder, name);
  try {
    const found = await handle.stat();
    if (found.isFile()) return { handle, size: found.size };
  } catch (error: unknown) {
    await handle.close();
    throw translate(folder.label, `read blob ${JSON.stringify(name)}`, error);
  }
  await handle.close();
  throw blobMissing(folder.label, name);
}

async function openFile(folder: Folder, name: string): Promise<FileHandle> {
  const path = locatedPath(folder, name) ?? (await locateAndRemember(folder, name));
  if (path === undefined) throw blobMissing(folder.label, name);
  try {
    return await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch (error: unknown) {
    if (errnoOf(error) !== "ENOENT") throw translate(folder.label, `read blob ${JSON.stringify(name)}`, error);
    // Says so where it is the whole folder that is missing.
    await locate(folder, name);
    throw blobMissing(folder.label, name, error);
  }
}

interface Located {
  /** Of blob names. */
  prefix: string;
  path: string;
  untilMs: number;
}

/** The folder that a blob was read from last. */
const located = new WeakMap<Folder, Located>();

function locatedPath(folder: Folder, name: string): string | undefined {
  const last = located.get(folder);
  const isKnown = last !== undefined && last.prefix === dirname(name) && performance.now() < last.untilMs;
  return isKnown ? join(last.path, basename(name)) : undefined;
}

async function locateAndRemember(folder: Folder, name: string): Promise<string | undefined> {
  const untilMs = performance.now() + LOCATED_FOR_MS;
  const path = await locate(folder, name);
  if (path !== undefined) located.set(folder, { prefix: dirname(name), path: dirname(path), untilMs });
  return path;
}

/** Up to `READ_BYTES` from the position, fewer before `end`; short only where the file was cut meanwhile. */
async function readPiece(handle: FileHandle, position: number, end: number): Promise<Buffer> {
  const length = Math.max(0, Math.min(READ_BYTES, end - position));
  const buffer = Buffer.allocUnsafeSlow(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return buffer.subarray(0, done);
}
