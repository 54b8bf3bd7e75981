import type { ErrorReport } from "../core/errors.ts";
import { listRemovals, type RemovalQuery } from "./removal.ts";
import type { RunRecordEntry } from "./run-record.ts";

/*
 * The run records of a source in one vault as a graph: each names its predecessor and all heads that stood there. Two jobs that
 * end together make a fork, and the next record joins it. What this can't see: the removal of the newest records, which nothing
 * names yet; another vault, or a ledger of proofs, tells of those.
 */

/** How long a record may wait for the next one to name it while others are being written: uploads that take their time. */
const SETTLED_AFTER_MS = 2 * 3_600_000;

/** `removed`: something named is not there and was not announced. `changed`: not what was signed, or not in its place.
 * `unnamed`: later records should name it and none does: it was put there afterwards, or those that named it are gone.
 * `late`: it was named only long after it was signed, though others were written in between: copied in, or put there. */
export type ChainFault = "removed" | "changed" | "unnamed" | "late";

export interface ChainProblem {
  fault: ChainFault;
  /** Of the record that shows it. */
  id: string;
  name: string;
  /** Hashes of what is missing. */
  missing?: string[];
  error?: ErrorReport;
}

export interface RunChain {
  /** As in `ChainReport`. */
  start: "whole" | "cut" | "empty";
  /** Valid records. */
  records: number;
  /** Of them, those that another record here names. */
  named: number;
  /** Not named by any yet, and recent: the ends of the chain. Their removal from this vault alone could not be seen here. */
  heads: { id: string; sha256: string }[];
  /** Records of before heads were named: a fork among them can't be told from a removal that nothing names. */
  withoutJoin: number;
  /** Came from another vault and name nothing of this one: that vault proves where they belong. */
  copied: number;
  /** Named predecessors that are gone and that a signed removal record announced. */
  announced: number;
  problems: ChainProblem[];
}

interface Valid {
  id: string;
  name: string;
  sha256: string;
  signedAt: number;
  names: string[];
  isOwn: boolean;
  joins: boolean;
}

/** Follows the run records of one vault, and looks up what is missing in its removal records. Throws what the storage throws. */
export async function followRuns(entries: readonly RunRecordEntry[], query: RemovalQuery): Promise<RunChain> {
  const wanted = missingFrom(entries, query.vault.name);
  const removals = await listRemovals({ ...query, wanted });
  const hashes = Array.from(removals.values(), ({ sha256 }) => sha256 ?? []).flat();
  return checkRuns(entries, query.vault.name, new Set(hashes));
}

/** As `followRuns`, where the records with the hashes `removed` may be missing. Pure. */
function checkRuns(entries: readonly RunRecordEntry[], vaultName: string, removed: ReadonlySet<string>): RunChain {
  const valid = validOf(entries, vaultName);
  const present = new Set(entries.map(({ sha256 }) => sha256));
  const isKnown = (hash: string) => present.has(hash) || removed.has(hash);
  const isMissingFirst = ({ isOwn }: Valid, index: number) => !isOwn && index === 0;
  const broken = valid.flatMap((record, index): ChainProblem[] => {
    const missing = record.names.filter((hash) => !isKnown(hash));
    // What was copied here names what only its own vault ever had.
    if (missing.length === 0 || !record.isOwn || isMissingFirst(record, index)) return [];
    return [{ fault: "removed", id: record.id, name: record.name, missing }];
  });
  const changed = entries.flatMap((entry): ChainProblem[] =>
    entry.state === "invalid" ? [{ fault: "changed", id: entry.id, name: entry.name, error: entry.error }] : [],
  );
  const { named, heads, faults } = joinsOf(valid);
  const allNames = new Set(valid.flatMap(({ names }) => names));
  return {
    start: startOf(valid),
    records: valid.length,
    named,
    heads,
    withoutJoin: valid.filter(({ joins, isOwn }) => !joins && isOwn).length,
    copied: valid.filter(({ isOwn }) => !isOwn).length,
    announced: [...allNames].filter((hash) => !present.has(hash) && removed.has(hash)).length,
    problems: [...changed, ...broken, ...faults].toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

function startOf(valid: readonly Valid[]): RunChain["start"] {
  if (valid.length === 0) return "empty";
  return valid.some(({ names }) => names.length === 0) ? "whole" : "cut";
}

/** Who is named, when, and who should have been. */
function joinsOf(valid: readonly Valid[]) {
  const firstNamedAt = new Map<string, number>();
  for (const { names, signedAt } of valid)
    for (const hash of names) firstNamedAt.set(hash, Math.min(signedAt, firstNamedAt.get(hash) ?? Infinity));
  const joining = valid.filter(({ joins, isOwn }) => joins && isOwn).toSorted((a, b) => a.signedAt - b.signedAt);
  const heads: RunChain["heads"] = [];
  const faults: ChainProblem[] = [];
  let named = 0;
  for (const record of valid) {
    const { id, name, sha256, signedAt, isOwn } = record;
    const namedAt = firstNamedAt.get(sha256);
    if (namedAt !== undefined) named++;
    // Who should have named it: the first one signed well after it, of those that name heads.
    const due = firstAfter(joining, signedAt + SETTLED_AFTER_MS);
    const isSettled = due !== undefined && due.sha256 !== sha256;
    if (namedAt === undefined && !isSettled) heads.push({ id, sha256 });
    else if (namedAt === undefined && isOwn) faults.push({ fault: "unnamed", id, name });
    else if (namedAt !== undefined && isOwn && isSettled && namedAt > due.signedAt)
      faults.push({ fault: "late", id, name });
  }
  return { named, heads, faults };
}

function firstAfter(sorted: readonly Valid[], time: number): Valid | undefined {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle]?.signedAt ?? Infinity) <= time) low = middle + 1;
    else high = middle;
  }
  return sorted[low];
}

function missingFrom(entries: readonly RunRecordEntry[], vaultName: string): string[] {
  const present = new Set(entries.map(({ sha256 }) => sha256));
  const named = validOf(entries, vaultName).flatMap(({ names }) => names);
  return [...new Set(named)].filter((hash) => !present.has(hash));
}

function validOf(entries: readonly RunRecordEntry[], vaultName: string): Valid[] {
  return entries.flatMap((entry) => {
    if (entry.state === "invalid") return [];
    const { id, name, sha256, signedAt, content } = entry;
    const own = content.vaults.find((link) => link.name === vaultName);
    const links = own ? [own] : content.vaults;
    const names = [
      ...new Set(links.flatMap(({ previous, also }) => [...(previous ? [previous] : []), ...(also ?? [])])),
    ];
    const joins = own?.seenUntil !== undefined || (own !== undefined && own.previous === null);
    return [{ id, name, sha256, signedAt: Date.parse(signedAt), names, isOwn: own !== undefined, joins }];
  });
}
