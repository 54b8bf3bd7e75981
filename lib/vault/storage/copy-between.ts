import { AppError } from "../../core/errors.ts";
import type { CallOptions, CreatedBlob, Storage } from "./storage.ts";

export interface CopyBetween extends CallOptions {
  from: Storage;
  to: Storage;
  /** Of the blob, the same in both. */
  name: string;
  /** Looks at the bytes while they pass; where it throws, no blob comes into being. Called anew for each attempt. */
  watch: (bytes: AsyncIterable<Buffer>) => AsyncIterable<Uint8Array>;
  /** Told why bytes go through this process, though the storage could fetch them itself. */
  onStreaming?: (error: AppError) => void;
}

/** What refused once to fetch from where: not asked again by this process. */
const refused = new WeakMap<Storage, WeakSet<Storage>>();

/**
 * Creates a blob of one storage in another: fetched by that storage's service where there is a way, streamed otherwise. In either
 * case every byte is read here once. Throws what `create`, `read` and `watch` throw.
 */
export async function copyBetween(request: CopyBetween): Promise<CreatedBlob> {
  const { from, to, name, signal } = request;
  const options = signal ? { signal } : {};
  const bytes = () => request.watch(from.read(name, undefined, options));
  const fetched = await createFetched(request, bytes, options);
  return fetched ?? to.create(name, bytes(), options);
}

async function createFetched(
  { from, to, name, onStreaming }: CopyBetween,
  bytes: () => AsyncIterable<Uint8Array>,
  options: CallOptions,
): Promise<CreatedBlob | undefined> {
  if (to.createFrom === undefined || refused.get(to)?.has(from)) return undefined;
  try {
    return await to.createFrom(name, from, bytes(), options);
  } catch (error: unknown) {
    if (!(error instanceof AppError)) throw error;
    // A source that the service can't reach may be reached from here; if it is this storage that fails, streaming fails too.
    if (error.code !== "STORAGE_REFUSED" && error.code !== "STORAGE_UNAVAILABLE") throw error;
    if (error.code === "STORAGE_REFUSED") refused.set(to, (refused.get(to) ?? new WeakSet()).add(from));
    onStreaming?.(error);
    return undefined;
  }
}
