import { createHash } from "node:crypto";
import { type CatalogueEntry, listBackups } from "./catalogue.ts";
import {
  type FullProof,
  type ProofQuery,
  type RangeProof,
  readNewestProofs,
  type VaultProofs,
} from "./proofs-record.ts";
import { listSegments } from "./segment-index.ts";

/** When something was last seen to be exactly what its signed manifest says. */
export interface Proof {
  /** Start of the oldest run that contributed to it: the proof is no older than this. */
  at: string;
  /** Hex, of the signed manifest that was proven. */
  sha256: string;
  /** When its chunks were last opened with the private key as well; absent for never. */
  deepAt?: string | undefined;
}

/** A record as proofs see it. */
export interface ProvenThing {
  id: string;
  sha256: string;
}

/**
 * Which backups and segments of a source are proven in one vault, by their ids, from the newest signed ledger that lies in that
 * vault. What is not in the map is not proven: never looked at, failed since, or not what was proven any more. Throws what the
 * storage throws.
 */
export async function readProofs(query: ProofQuery): Promise<ReadonlyMap<string, Proof>> {
  const state = await readVaultProofs(query);
  if (state === undefined) return new Map();
  const { entries } = await listSegments(query);
  return new Map([...provenFulls(state, await listBackups(query)), ...provenRanges(state.log, entries)]);
}

/** What the newest ledger in a vault says of that vault; undefined where it says nothing. */
async function readVaultProofs(query: ProofQuery): Promise<VaultProofs | undefined> {
  const record = await readNewestProofs(query);
  return record?.content.states.find(({ vault }) => vault === query.vault.name);
}

/** The backups that were proven and still have the manifest that was. */
function provenFulls({ fulls, failed }: VaultProofs, backups: readonly CatalogueEntry[]): Map<string, Proof> {
  const present = new Map(backups.map((backup) => [backup.id, backup]));
  const bad = new Set(failed.flatMap(({ kind, id }) => (kind === "full" ? [id] : [])));
  const isProven = ({ id, sha256, at }: FullProof) => {
    const backup = present.get(id);
    return at !== null && !bad.has(id) && backup?.state === "valid" && backup.sha256 === sha256;
  };
  return new Map(fulls.filter(isProven).map((proof) => [proof.id, toProof(proof)]));
}

function toProof({ at, sha256, deepAt }: FullProof): Proof {
  return { at: at ?? "", sha256, ...(deepAt !== undefined && { deepAt }) };
}

/**
 * The things that ranges prove, of those that are there, given in the order of their ids. A range in which one is missing, new or
 * different proves nothing any more: its hash is of all of them.
 */
export function provenRanges(ranges: readonly RangeProof[], things: readonly ProvenThing[]): Map<string, Proof> {
  const proven = new Map<string, Proof>();
  for (const { from, to, count, sha256, at, deepAt } of ranges) {
    const start = firstFrom(things, from);
    const covered = things.slice(start, start + count);
    const isWhole = covered.at(-1)?.id === to && hashOf(covered) === sha256;
    if (!isWhole) continue;
    for (const thing of covered)
      proven.set(thing.id, { at, sha256: thing.sha256, ...(deepAt !== undefined && { deepAt }) });
  }
  return proven;
}

/** A range ends with its day, so that what goes away with an old day voids the proof of that day alone. */
const DAY_DIGITS = "20261121".length;

/** The shortest list of ranges that says the same; things without a proof end a range. */
export function toRanges(things: readonly ProvenThing[], proofs: ReadonlyMap<string, Proof>): RangeProof[] {
  const groups: { key: string; proof: Proof; things: ProvenThing[] }[] = [];
  let openKey: string | undefined;
  for (const thing of things) {
    const proof = proofs.get(thing.id);
    const key = proof && `${thing.id.slice(0, DAY_DIGITS)} ${proof.at} ${proof.deepAt ?? ""}`;
    if (proof && key !== undefined) {
      if (key === openKey) groups.at(-1)?.things.push(thing);
      else groups.push({ key, proof, things: [thing] });
    }
    openKey = key;
  }
  return groups.map(({ proof: { at, deepAt }, things: covered }) => ({
    from: covered[0]?.id ?? "",
    to: covered.at(-1)?.id ?? "",
    count: covered.length,
    sha256: hashOf(covered),
    at,
    ...(deepAt !== undefined && { deepAt }),
  }));
}

function hashOf(things: readonly ProvenThing[]): string {
  const hash = createHash("sha256");
  for (const { id, sha256 } of things) hash.update(`${id} ${sha256}\n`);
  return hash.digest("hex");
}

/** Index of the first thing whose id is not less than `id`. */
function firstFrom(things: readonly ProvenThing[], id: string): number {
  let low = 0;
  let high = things.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((things[middle]?.id ?? "") < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
