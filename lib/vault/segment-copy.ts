import { toAppError } from "../core/errors.ts";
import { idOfRecord, logPlace } from "./names.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

/**
 * Copies the segments after `after` that one vault has and another lacks, oldest first, and returns how many. Bytes are copied
 * as they are: signature and seal do not depend on the vault.
 */
export async function copyMissingSegments(
  source: string,
  from: Vault,
  to: Vault,
  after: string,
  options: CallOptions = {},
): Promise<number> {
  const place = logPlace(source);
  const there = new Set(await idsAfter(to, source, after));
  let copied = 0;
  for (const id of await idsAfter(from, source, after)) {
    if (there.has(id)) continue;
    const name = place.nameOf(id);
    try {
      await to.storage.data.create(name, from.storage.data.read(name, undefined, options), options);
      copied++;
    } catch (error: unknown) {
      if (toAppError(error).code !== "BLOB_EXISTS") throw error;
    }
  }
  return copied;
}

async function idsAfter(vault: Vault, source: string, after: string): Promise<string[]> {
  const place = logPlace(source);
  const ids: string[] = [];
  for await (const { name } of vault.storage.data.list(place.prefix, { after: `${place.prefix}${after}` })) {
    const id = idOfRecord(place, name);
    if (id !== undefined) ids.push(id);
  }
  return ids;
}
