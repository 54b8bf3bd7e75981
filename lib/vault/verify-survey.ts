import type { CatalogueEntry, CatalogueQuery } from "./catalogue.ts";
import { listBackups } from "./catalogue.ts";
import { idTime } from "../core/ids.ts";
import { idInName, sourcePrefix } from "./names.ts";
import type { StoredThing } from "./proofs.ts";
import type { Vault } from "./vault.ts";

/** Read by the catalogue, named by manifests, or looked at with the keys. */
const OTHER_PLACES = new Set(["full", "data", "rewraps"]);

/** What stands of a source in one vault, before any data is read. */
export interface Survey {
  vault: Vault;
  /** Every manifest read and judged. */
  fulls: CatalogueEntry[];
  /** All else that the source has there, by the folder: `log`, `runs`, `proofs`, …; in the order of names. */
  places: ReadonlyMap<string, readonly StoredThing[]>;
}

/** Throws what the storage throws: unknown is not none. */
export async function surveyVault(query: CatalogueQuery): Promise<Survey> {
  const places = new Map<string, StoredThing[]>();
  const prefix = sourcePrefix(query.source);
  const options = query.signal ? { signal: query.signal } : {};
  for await (const { name, sizeBytes } of query.vault.storage.data.list(prefix, options)) {
    const [place = "", ...rest] = name.slice(prefix.length).split("/");
    if (OTHER_PLACES.has(place) || rest.length === 0) continue;
    const things = places.get(place) ?? [];
    things.push({ name: rest.join("/"), sizeBytes });
    places.set(place, things);
  }
  return { vault: query.vault, fulls: await listBackups(query), places };
}

/** When a thing was written, by the id in its name; a merged blob's own id comes last. ISO 8601, UTC. */
export function writtenAt(name: string): string | undefined {
  const ids = name.split(".").flatMap((part) => idInName(part, "") ?? []);
  const last = ids.at(-1);
  return last === undefined ? undefined : idTime(last).toISOString();
}
