import { createHash } from "node:crypto";
import type { CreateOptions } from "./storage.ts";

/** SHA-256 of a stream, unless the caller computes it or wants none. */
export function hasherFor(options: CreateOptions): { update(chunk: Uint8Array): void; digest(): string } {
  if (options.sha256 === "unwanted") return { update: () => undefined, digest: () => "" };
  if (options.sha256) return { update: () => undefined, digest: options.sha256 };
  const hash = createHash("sha256");
  return { update: (chunk) => void hash.update(chunk), digest: () => hash.digest("hex") };
}

/** The chunks of a stream, empty ones left out; stops with the signal's reason even while the source keeps it waiting. */
export async function* chunksOf(
  data: AsyncIterable<Uint8Array> | Uint8Array,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  signal?.throwIfAborted();
  if (data instanceof Uint8Array) {
    if (data.length > 0) yield data;
    return;
  }
  const iterator = data[Symbol.asyncIterator]();
  let finished = false;
  try {
    for (;;) {
      const next = await nextOrAbort(iterator, signal);
      if (next.done === true) break;
      if (next.value.length > 0) yield next.value;
    }
    finished = true;
  } finally {
    // The error on its way out says more than one from the clean-up. After an abort the source may hang for ever in next(),
    // and a generator's return() would wait for it.
    const closed = finished ? undefined : iterator.return?.().catch(() => undefined);
    if (signal?.aborted !== true) await closed;
  }
}

function nextOrAbort<T>(iterator: AsyncIterator<T>, signal: AbortSignal | undefined): Promise<IteratorResult<T>> {
  if (signal === undefined) return iterator.next();
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    iterator
      .next()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", onAbort));
  });
}
