import { createHash } from "node:crypto";
import { idTime } from "../core/ids.ts";
import { type CatalogueEntry, listBackups } from "./catalogue.ts";
import { logPlace } from "./names.ts";
import {
  type FullProof,
  type ProofQuery,
  type RangeProof,
  readNewestProofs,
  type VaultProofs,
} from "./proofs-record.ts";

/** When something was last seen to be exactly what its signed manifest says. */
export interface Proof {
  /** Start of the oldest run that contributed to it: the proof is no older than this. */
  at: string;
  /** When its chunks were last opened with the private key as well; absent for never. */
  deepAt?: string | undefined;
  /** Hex, of the manifest of a full backup that was proven. */
  sha256?: string;
}

/** A blob as proofs see it; its name is without the prefix of its place. */
export interface StoredThing {
  name: string;
  sizeBytes: number;
}

/**
 * Which full backups (by id) and log blobs (by their names behind `log/`: the id of a segment) of a source are proven in one
 * vault, from the newest signed ledger that lies in that vault. What is not in the map is not proven: never looked at, failed
 * since, or not what was proven any more. Throws what the storage throws.
 */
export async function readProofs(query: ProofQuery): Promise<ReadonlyMap<string, Proof>> {
  const state = await readVaultProofs(query);
  if (state === undefined) return new Map();
  const { prefix } = logPlace(query.source);
  const options = query.signal ? { signal: query.signal } : {};
  const log = await Array.fromAsync(query.vault.storage.data.list(prefix, options), ({ name, sizeBytes }) => ({
    name: name.slice(prefix.length),
    sizeBytes,
  }));
  return new Map([
    ...provenFulls(state, await listBackups(query)),
    ...provenRanges(state.places["log"]?.ranges ?? [], log),
  ]);
}

/** What the newest ledger in a vault says of that vault; undefined where it says nothing. */
export async function readVaultProofs(query: ProofQuery): Promise<VaultProofs | undefined> {
  const record = await readNewestProofs(query);
  return record?.content.states.find(({ vault }) => vault === query.vault.name);
}

/**
 * Since when everything that stands in a vault is proven: the ledger's word for what it has seen, and the time of their start for
 * backups that it has not. Undefined where nothing stands.
 */
export function provenSinceOf(proofs: VaultProofs | undefined, backups: readonly CatalogueEntry[]): string | undefined {
  const seen = new Set(proofs?.fulls.map(({ id }) => id));
  const written = backups.filter(({ id }) => !seen.has(id)).map(({ id }) => idTime(id).toISOString());
  const instants = proofs?.since ? [proofs.since, ...written] : written;
  return instants.toSorted().at(0);
}

/** The backups that were proven and still have the manifest that was. */
export function provenFulls({ fulls }: VaultProofs, backups: readonly CatalogueEntry[]): Map<string, Proof> {
  const present = new Map(backups.map((backup) => [backup.id, backup]));
  return new Map(
    fulls.flatMap((proof): [string, Proof][] => {
      const backup = present.get(proof.id);
      if (proof.at === null || backup?.state !== "valid" || backup.sha256 !== proof.sha256) return [];
      return [[proof.id, { at: proof.at, sha256: proof.sha256, ...deepOf(proof) }]];
    }),
  );
}

/**
 * The things that ranges prove, of those that are there, given in the order of their names. A range in which one is missing, new
 * or of another size proves nothing any more: its hash is of all of them.
 */
export function provenRanges(ranges: readonly RangeProof[], things: readonly StoredThing[]): Map<string, Proof> {
  const proven = new Map<string, Proof>();
  for (const range of ranges) {
    const covered = thingsIn(range, things);
    if (covered.length !== range.count || hashOf(covered) !== range.sha256) continue;
    for (const { name } of covered) proven.set(name, { at: range.at, ...deepOf(range) });
  }
  return proven;
}

/** The things, in the order of their names, that lie between the ends of a range. */
export function thingsIn({ from, to }: Pick<RangeProof, "from" | "to">, things: readonly StoredThing[]): StoredThing[] {
  return things.slice(firstFrom(things, from), firstFrom(things, `${to}\0`));
}

/** A range ends with its day, so that what goes away with an old day voids the proof of that day alone. */
const DAY_DIGITS = "20261121".length;

/** The shortest list of ranges that says the same; things without a proof end a range. */
export function toRanges(things: readonly StoredThing[], proofs: ReadonlyMap<string, Proof>): RangeProof[] {
  const groups: { proof: Proof; things: StoredThing[] }[] = [];
  let openKey: string | undefined;
  for (const thing of things) {
    const proof = proofs.get(thing.name);
    const key = proof && `${thing.name.slice(0, DAY_DIGITS)} ${proof.at} ${proof.deepAt ?? ""}`;
    if (proof && key === openKey) groups.at(-1)?.things.push(thing);
    else if (proof) groups.push({ proof, things: [thing] });
    openKey = key;
  }
  return groups.map(({ proof, things: covered }) => ({
    from: covered[0]?.name ?? "",
    to: covered.at(-1)?.name ?? "",
    count: covered.length,
    sha256: hashOf(covered),
    at: proof.at,
    ...deepOf(proof),
  }));
}

function deepOf({ deepAt }: Pick<FullProof, "deepAt"> | Pick<Proof, "deepAt">): { deepAt?: string } {
  return deepAt === undefined ? {} : { deepAt };
}

function hashOf(things: readonly StoredThing[]): string {
  const hash = createHash("sha256");
  for (const { name, sizeBytes } of things) hash.update(`${name} ${sizeBytes}\n`);
  return hash.digest("hex");
}

/** Index of the first thing whose name is not less than `name`. */
function firstFrom(things: readonly StoredThing[], name: string): number {
  let low = 0;
  let high = things.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((things[middle]?.name ?? "") < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
