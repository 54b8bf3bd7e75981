import type { VaultLink } from "./manifest.ts";
import type { SignedRecord } from "./record.ts";
import { listRemovals, type RemovalQuery } from "./removal.ts";

/*
 * Every record names, for each vault that it was written for, the hash of the newest record that stood there before it. So
 * each vault has its own chain, and one that missed a record is not broken: its next record links to the one that it has.
 * A record may be copied into a vault later; nothing links to it there, and it links to what was before it. What retention
 * removes is announced by a signed record, so that a chain may miss it, and nothing else.
 */

type Chained = SignedRecord<{ vaults: readonly VaultLink[] }>;

/** What the chain of one vault says. */
export interface ChainReport {
  /** `whole`: the first record that was ever written is there. `cut`: something older was there. `empty`: no valid record is. */
  start: "whole" | "cut" | "empty";
  /** Records whose predecessor is not there, or is not what it was, and was not announced: it was removed or replaced. */
  broken: { id: string; name: string; previous: string[] }[];
}

/**
 * Follows the chain of one vault's records of one kind, and looks up what is missing in the vault's removal records. Throws
 * what the storage throws.
 */
export async function followChain(records: readonly Chained[], query: RemovalQuery): Promise<ChainReport> {
  const { broken } = checkChain(records, query.vault.name);
  const wanted = broken.flatMap(({ previous }) => previous);
  const removals = await listRemovals({ ...query, wanted });
  const hashes = Array.from(removals.values(), ({ sha256 }) => sha256 ?? []).flat();
  return checkChain(records, query.vault.name, new Set(hashes));
}

/**
 * Follows the chain of one vault's records, oldest first, where the records with the hashes `removed` may be missing. What it
 * can't see is the removal of the newest records; the run records and the other vault tell of those.
 */
export function checkChain(
  records: readonly Chained[],
  vaultName: string,
  removed: ReadonlySet<string> = new Set(),
): ChainReport {
  const present = new Set(records.map(({ sha256 }) => sha256));
  const valid = records.filter((record) => record.state === "valid");
  const links = valid.map(({ id, name, content }) => ({ id, name, ...previousIn(content.vaults, vaultName) }));
  if (links.length === 0) return { start: "empty", broken: [] };
  const isBroken = ({ previous, isOwn }: Previous, index: number) => {
    if (previous.length === 0 || previous.some((hash) => present.has(hash) || removed.has(hash))) return false;
    // What was copied into a vault may be the first there, and name what only its own vault ever had.
    return isOwn || index > 0;
  };
  return {
    start: links.some(({ previous }) => previous.length === 0) ? "whole" : "cut",
    broken: links.filter(isBroken).map(({ id, name, previous }) => ({ id, name, previous })),
  };
}

interface Previous {
  /** The hash before a record in that vault; for one that was copied in from other vaults, any of theirs. */
  previous: string[];
  isOwn: boolean;
}

function previousIn(links: readonly VaultLink[], vaultName: string): Previous {
  const own = links.filter(({ name }) => name === vaultName);
  return { previous: (own.length > 0 ? own : links).flatMap(({ previous }) => previous ?? []), isOwn: own.length > 0 };
}
