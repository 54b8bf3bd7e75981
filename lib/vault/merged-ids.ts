import { readMerged } from "./merged-blob.ts";
import { type LogBlob, segmentIdsInName } from "./segment-blobs.ts";
import type { SegmentQuery } from "./segment-head.ts";
import type { StoredThing } from "./proofs.ts";

/** Which segments lie in the merged blobs of a vault; each blob's signed index is read once, when it is first needed. */
export class MergedIds {
  readonly #query: SegmentQuery;
  readonly #blobs: readonly LogBlob[];
  readonly #read = new Map<string, ReadonlySet<string>>();

  /** `log` is what stands in the log's place, its names without `prefix`. */
  constructor(query: SegmentQuery, prefix: string, log: readonly StoredThing[]) {
    this.#query = query;
    this.#blobs = log.flatMap(({ name, sizeBytes }) => {
      const ids = segmentIdsInName(query.source, `${prefix}${name}`);
      return ids?.mergedId === undefined ? [] : [{ name: `${prefix}${name}`, sizeBytes, ...ids }];
    });
  }

  /** Throws what the storage throws; a blob that can't be believed holds nothing. */
  async has(id: string): Promise<boolean> {
    // A blob is named by its last segment, so none before that can hold it.
    for (const blob of this.#blobs) if (blob.lastId >= id && (await this.#idsIn(blob)).has(id)) return true;
    return false;
  }

  async #idsIn(blob: LogBlob): Promise<ReadonlySet<string>> {
    const known = this.#read.get(blob.name);
    if (known !== undefined) return known;
    const merged = await readMerged(this.#query, blob);
    const ids = new Set(merged.state === "valid" ? merged.parts.map(({ id }) => id) : []);
    this.#read.set(blob.name, ids);
    return ids;
  }
}
