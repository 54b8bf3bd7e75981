import type { VaultLink } from "./manifest.ts";
import type { SignedRecord } from "./record.ts";

/*
 * Every record names, for each vault that it was written for, the hash of the newest record that stood there before it. So
 * each vault has its own chain, and one that missed a record is not broken: its next record links to the one that it has.
 * A record may be copied into a vault later; nothing links to it there, and it links to what was before it.
 */

/** What the chain of one vault says. */
export interface ChainReport {
  /**
   * `whole`: the first record that was ever written is there. `cut`: something older was there, and was removed (by
   * retention, or by somebody). `empty`: there is no valid record.
   */
  start: "whole" | "cut" | "empty";
  /** Records whose predecessor is not there, or is not what it was: something was removed or replaced. */
  broken: { id: string; name: string; previous: string }[];
}

/**
 * Follows the chain of one vault's records, oldest first. What it can't see is the removal of the newest records; the
 * run records and the other vault tell of those.
 */
export function checkChain(
  records: readonly SignedRecord<{ vaults: readonly VaultLink[] }>[],
  vaultName: string,
): ChainReport {
  const present = new Set(records.map(({ sha256 }) => sha256));
  const valid = records.filter((record) => record.state === "valid");
  const links = valid.map(({ id, name, content }) => ({ id, name, previous: previousIn(content.vaults, vaultName) }));
  if (links.length === 0) return { start: "empty", broken: [] };
  const isBroken = (previous: readonly string[]) => previous.length > 0 && !previous.some((hash) => present.has(hash));
  const isWhole = links.some(({ previous }) => previous.length === 0);
  return {
    start: isWhole ? "whole" : "cut",
    // Where the beginning was cut off, the oldest record that is left names what is gone.
    broken: links
      .filter(({ previous }, index) => isBroken(previous) && (isWhole || index > 0))
      .map(({ id, name, previous }) => ({ id, name, previous: previous.join(" or ") })),
  };
}

/** The hash before a record in that vault; for a record that was copied in from other vaults, any of theirs. */
function previousIn(links: readonly VaultLink[], vaultName: string): string[] {
  const own = links.filter(({ name }) => name === vaultName);
  return (own.length > 0 ? own : links).flatMap(({ previous }) => previous ?? []);
}
