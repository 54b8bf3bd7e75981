import { createHash } from "node:crypto";
import { chunksOf } from "./chunks.ts";
import type { CallOptions, CreatedBlob, Storage } from "./storage.ts";

/** What one of several storages made of a blob. */
export type CreateOutcome = { label: string; created: CreatedBlob } | { label: string; error: unknown };

/**
 * Streams one source into a new blob of each storage at the pace of the slowest, hashing once. A storage that fails
 * does not stop the others: its outcome, in the order of `storages`, has the error. Rejects only with what the source
 * or the signal threw; whenever it settles, no storage is at work any more.
 */
export async function createInAll(
  storages: readonly Storage[],
  name: string,
  data: AsyncIterable<Uint8Array>,
  options: CallOptions = {},
): Promise<CreateOutcome[]> {
  const hash = createHash("sha256");
  let digest: string | undefined;
  const sha256 = (): string => (digest ??= hash.digest("hex"));
  const branches = storages.map(() => new Branch());
  const outcomes = storages.map(async (storage, index): Promise<CreateOutcome> => {
    const branch = branches[index] ?? new Branch();
    try {
      return { label: storage.label, created: await storage.create(name, branch, { ...options, sha256 }) };
    } catch (error: unknown) {
      return { label: storage.label, error };
    } finally {
      branch.close();
    }
  });
  try {
    for await (const chunk of chunksOf(data, options.signal)) {
      const taken = Promise.all(branches.map((branch) => branch.push(chunk)));
      hash.update(chunk);
      await taken;
      if (branches.every((branch) => branch.closed)) break;
    }
  } catch (error: unknown) {
    for (const branch of branches) branch.fail(error);
    await Promise.all(outcomes);
    throw error;
  }
  for (const branch of branches) branch.end();
  const settled = await Promise.all(outcomes);
  options.signal?.throwIfAborted();
  return settled;
}

/** One storage's view of the stream: a chunk is handed over when the storage asks for it. */
class Branch implements AsyncIterable<Uint8Array> {
  closed = false;
  #chunk: Uint8Array | undefined;
  #end: { error?: unknown } | undefined;
  #onArrival: (() => void) | undefined;
  #onTaken: (() => void) | undefined;

  /** Resolves when the chunk is taken, or the storage has stopped reading. Never rejects. */
  async push(chunk: Uint8Array): Promise<void> {
    if (this.closed) return;
    this.#chunk = chunk;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onTaken = resolve;
    this.#onArrival?.();
    await promise;
  }

  end(): void {
    this.#end = {};
    this.#onArrival?.();
  }

  fail(error: unknown): void {
    this.#end = { error };
    this.#onArrival?.();
  }

  close(): void {
    this.closed = true;
    this.#chunk = undefined;
    this.#onTaken?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const chunk = this.#chunk;
      if (chunk !== undefined) {
        this.#chunk = undefined;
        this.#onTaken?.();
        yield chunk;
      } else if (this.#end !== undefined) {
        if ("error" in this.#end) throw this.#end.error;
        return;
      } else {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#onArrival = resolve;
        await promise;
      }
    }
  }
}
