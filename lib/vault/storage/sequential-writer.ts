import type { FileHandle } from "node:fs/promises";

/** Chunks are gathered until they are worth a system call. */
const WRITE_BYTES = 1024 * 1024;
/** The disk gets its work while more data comes, so that the sync at the end is short. */
const SYNC_BYTES = 32 * 1024 * 1024;
/**
 * Writes a file from its beginning, in few and large system calls and without a copy: one write is under way while the
 * next batch gathers. Errors are those of the file system.
 */
export class SequentialWriter {
  /** Handed to the file system so far; all of them once `finish` has resolved. */
  sizeBytes = 0;
  readonly #handle: FileHandle;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #unsyncedBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #syncing: Promise<void> = Promise.resolve();

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.#batch.push(chunk);
    this.#batchBytes += chunk.length;
    if (this.#batchBytes >= WRITE_BYTES) await this.#flush();
  }

  /** Everything is on the disk when it resolves. */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#writing;
    await this.#syncing;
    await this.#handle.sync();
  }

  /** Resolves when no call uses the file any more; never rejects. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#writing, this.#syncing]);
  }

  async #flush(): Promise<void> {
    await this.#writing;
    const batch = this.#batch;
    const bytes = this.#batchBytes;
    this.#batch = [];
    this.#batchBytes = 0;
    await this.#startSync();
    this.#writing = writeFully(this.#handle, batch, bytes, this.sizeBytes);
    // Awaited by the next flush; until then a failure must not count as unhandled.
    this.#writing.catch(() => undefined);
    this.sizeBytes += bytes;
    this.#unsyncedBytes += bytes;
  }

  async #startSync(): Promise<void> {
    if (this.#unsyncedBytes < SYNC_BYTES) return;
    this.#unsyncedBytes = 0;
    await this.#syncing;
    this.#syncing = this.#handle.datasync();
    this.#syncing.catch(() => undefined);
  }
}

async function writeFully(
  handle: FileHandle,
  batch: readonly Uint8Array[],
  bytes: number,
  position: number,
): Promise<void> {
  let { bytesWritten: done } = await handle.writev(batch, position);
  if (done === bytes) return;
  const rest = Buffer.concat(batch);
  while (done < bytes) {
    const { bytesWritten } = await handle.write(rest, done, bytes - done, position + done);
    done += bytesWritten;
  }
}
