import type { ErrorReport } from "../core/errors.ts";
import type { CatalogueEntry, CatalogueQuery } from "./catalogue.ts";
import { followChain } from "./chain.ts";
import { fullPlace, rewrapPlace, SUCCESSIONS } from "./names.ts";
import { includesAll } from "./revisions.ts";
import { listRewraps } from "./rewraps.ts";
import { readSuccessions } from "./trusted-keys.ts";
import type { VerifyTally } from "./verify-report.ts";

/**
 * Verifies what says who may open and who may sign: revisions beside manifests, what rotations wrapped for the log, successions of
 * signing keys. Backups are readable without most of it, so it would be missed only when a key is gone.
 */
export async function verifyKeyRecords(
  query: CatalogueQuery,
  entries: readonly CatalogueEntry[],
  tally: VerifyTally,
): Promise<void> {
  for (const entry of entries) {
    if (entry.state === "valid") for (const revision of entry.revisions ?? []) judge(revision, tally);
  }
  const { vault, source, signal } = query;
  await looked(rewrapPlace(source).prefix, tally, () => verifyRewraps(query, entries, tally));
  await looked(SUCCESSIONS, tally, async () => {
    for (const succession of await readSuccessions(vault, signal ? { signal } : {})) judge(succession, tally);
  });
}

/** A place that the storage can't list holds nobody knows how much: it counts as one thing that was not looked at. */
async function looked(place: string, tally: VerifyTally, look: () => Promise<void>): Promise<void> {
  try {
    await look();
  } catch (error: unknown) {
    tally.judge(place, error);
  }
}

async function verifyRewraps(
  query: CatalogueQuery,
  entries: readonly CatalogueEntry[],
  tally: VerifyTally,
): Promise<void> {
  const rewraps = await listRewraps(query);
  const { broken } = await followChain(rewraps, query);
  for (const rewrap of rewraps) {
    const link = broken.find(({ id }) => id === rewrap.id);
    tally.report.bytes += rewrap.sizeBytes;
    if (link) {
      const lost = link.previous.join(" or ");
      tally.fail(rewrap.name, "CHAIN_BROKEN", `the record before it, with SHA-256 ${lost}, is not there`);
    } else judge(rewrap, tally);
  }
  const last = rewraps.findLast((rewrap) => rewrap.state === "valid" && rewrap.content.fulls !== undefined);
  if (last?.state !== "valid") return;
  const revised = new Set(last.content.fulls);
  for (const entry of entries) {
    if (entry.state === "invalid" || !revised.has(entry.id)) continue;
    if (includesAll(entry.content.encryption.recipients, last.content.for)) continue;
    const message = `rotation ${last.content.run} wrapped its data key for other keys, and that revision is not there`;
    tally.fail(`${fullPlace(query.source).prefix}${entry.id}/`, "REVISION_MISSING", message);
  }
}

function judge(
  found: { name: string } & ({ state: "valid" } | { state: "invalid"; error: ErrorReport }),
  tally: VerifyTally,
): void {
  if (found.state === "valid") tally.report.proven++;
  else tally.fail(found.name, found.error.code, found.error.message);
}
