import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { assertBlobName } from "./blob-name.ts";
import { attempt, errnoOf, translate } from "./directory-errors.ts";
import { locate, type Folder } from "./directory-files.ts";
import { blobChanged, blobMissing } from "./outcomes.ts";
import type { ByteRange, CallOptions } from "./storage.ts";

const READ_BYTES = 1024 * 1024;

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
  const handle = await openBlob(folder, name);
  let next: Promise<Buffer> = Promise.resolve(Buffer.alloc(0));
  try {
    const { size } = await attempt(folder.label, action, () => handle.stat());
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

async function openBlob(folder: Folder, name: string): Promise<FileHandle> {
  const path = await locate(folder, name);
  if (path === undefined) throw blobMissing(folder.label, name);
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch (error: unknown) {
    if (errnoOf(error) === "ENOENT") throw blobMissing(folder.label, name, error);
    throw translate(folder.label, `read blob ${JSON.stringify(name)}`, error);
  }
  const found = await handle.stat();
  if (found.isFile()) return handle;
  await handle.close();
  throw blobMissing(folder.label, name);
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
