import { createHash } from "node:crypto";
import type { StateStore, Storage } from "../../lib/vault/storage/storage.ts";

/** Adds one to a counter, `times` times, starting again after each conflict. */
export async function countUp(state: StateStore, key: string, times: number): Promise<void> {
  for (let done = 0; done < times;) {
    const found = await state.get(key);
    const next = Buffer.from(String(Number(found?.value.toString() ?? 0) + 1));
    try {
      await state.put(key, next, found === undefined ? "absent" : { etag: found.etag });
      done++;
    } catch (error: unknown) {
      if (!(error instanceof Error && "code" in error && error.code === "STATE_CONFLICT")) throw error;
    }
  }
}

export async function readAll(
  storage: Storage,
  name: string,
  range?: { offset: number; length: number },
): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(storage.read(name, range)));
}

export async function listNames(storage: Storage, prefix: string, after?: string): Promise<string[]> {
  const options = after === undefined ? {} : { after };
  return (await Array.fromAsync(storage.list(prefix, options))).map(({ name }) => name);
}

/** Bytes that differ from place to place and from seed to seed. */
export function pattern(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let word = (seed * 2_654_435_761) >>> 0;
  for (let index = 0; index < length; index++) {
    if (index % 4 === 0) word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = word >>> (8 * (index % 4));
  }
  return bytes;
}

export async function* piecesOf(bytes: Buffer, length: number): AsyncGenerator<Buffer, void, undefined> {
  for (let offset = 0; offset < bytes.length; offset += length) yield bytes.subarray(offset, offset + length);
}

export function sha256Of(bytes: Buffer | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
