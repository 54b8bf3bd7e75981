import type { ErrorReport } from "../core/errors.ts";
import type { CatalogueEntry, CatalogueQuery } from "./catalogue.ts";
import { followChain } from "./chain.ts";
import { fullPlace, rewrapPlace, SUCCESSIONS } from "./names.ts";
import { includesAll } from "./revisions.ts";
import { listRewraps } from "./rewraps.ts";
import { readSuccessions } from "./trusted-keys.ts";
import type { Vault } from "./vault.ts";
import type { BadBlob } from "./verify-items.ts";
import type { VerifyTally } from "./verify-report.ts";

/** What a look at the keys' records gets. */
export interface KeyLook {
  tally: VerifyTally;
  /** Counts bytes that were read. */
  read: (bytes: number) => void;
  /** Told of each record that is what it should be. */
  proved: (name: string) => void;
}

/**
 * Verifies what says who may open and who may sign: revisions beside manifests, what rotations wrapped for the log, successions of
 * signing keys. Backups are readable without most of it, so it would be missed only when a key is gone.
 */
export async function verifyKeyRecords(
  query: CatalogueQuery,
  entries: readonly CatalogueEntry[],
  look: KeyLook,
): Promise<BadBlob[]> {
  const { vault, source, signal } = query;
  const bad: BadBlob[] = [];
  const judge = (found: Judged): void => void bad.push(...judged(vault, found, look));
  for (const entry of entries)
    if (entry.state === "valid") for (const revision of entry.revisions ?? []) judge(revision);
  await looked(query, rewrapPlace(source).prefix, look, () => verifyRewraps(query, entries, look, judge));
  await looked(query, SUCCESSIONS, look, async () => {
    for (const succession of await readSuccessions(vault, signal ? { signal } : {})) judge(succession);
  });
  return bad;
}

/** A place that the storage can't list holds nobody knows how much: it counts as one thing that was not looked at. */
async function looked(
  { vault, signal }: CatalogueQuery,
  place: string,
  { tally }: KeyLook,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error: unknown) {
    tally.judge(vault.name, place, error, signal);
  }
}

async function verifyRewraps(
  query: CatalogueQuery,
  entries: readonly CatalogueEntry[],
  { tally, read }: KeyLook,
  judge: (found: Judged) => void,
): Promise<void> {
  const vault = query.vault.name;
  const rewraps = await listRewraps(query);
  const { broken } = await followChain(rewraps, query);
  for (const rewrap of rewraps) {
    const link = broken.find(({ id }) => id === rewrap.id);
    read(rewrap.sizeBytes);
    if (link) {
      const lost = link.previous.join(" or ");
      const message = `the record before it, with SHA-256 ${lost}, is not there`;
      tally.fail(vault, rewrap.name, { code: "CHAIN_BROKEN", message });
    } else judge(rewrap);
  }
  const last = rewraps.findLast((rewrap) => rewrap.state === "valid" && rewrap.content.fulls !== undefined);
  if (last?.state !== "valid") return;
  const revised = new Set(last.content.fulls);
  for (const entry of entries) {
    if (entry.state === "invalid" || !revised.has(entry.id)) continue;
    if (includesAll(entry.content.encryption.recipients, last.content.for)) continue;
    const message = `rotation ${last.content.run} wrapped its data key for other keys, and that revision is not there`;
    tally.fail(vault, `${fullPlace(query.source).prefix}${entry.id}/`, { code: "REVISION_MISSING", message });
  }
}

type Judged = { name: string } & ({ state: "valid" } | { state: "invalid"; error: ErrorReport });

function judged(vault: Vault, found: Judged, { tally, proved }: KeyLook): BadBlob[] {
  if (found.state === "valid") {
    tally.proven++;
    proved(found.name);
    return [];
  }
  const { name, error } = found;
  tally.fail(vault.name, name, error);
  return [{ vault, blob: name, expected: "record", reason: error, healed: () => proved(name) }];
}
