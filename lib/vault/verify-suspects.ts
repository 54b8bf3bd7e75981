import { findInMerged } from "./merged-blob.ts";
import { idOfRecord, logPlace } from "./names.ts";
import { type AnnouncedItem, blobsOf, listRemovals } from "./removal.ts";
import type { SegmentQuery } from "./segment-head.ts";
import type { BadBlob } from "./verify-items.ts";
import type { Look } from "./verify-look.ts";
import type { VerifyTally } from "./verify-report.ts";
import type { StructureFindings, Suspect, Thinned } from "./verify-structure.ts";
import type { VaultLedger } from "./verify-ledger.ts";

/**
 * Counts as failed what is gone and was not announced by a signed removal record in the same vault; returns what another vault
 * may bring back by itself.
 */
export async function resolveSuspects(look: Look, tally: VerifyTally, findings: StructureFindings): Promise<BadBlob[]> {
  const bad: BadBlob[] = [];
  const ledgers = new Set([...findings.suspects, ...findings.thinned].map(({ ledger }) => ledger));
  for (const ledger of ledgers) {
    const suspects = findings.suspects.filter((suspect) => suspect.ledger === ledger);
    const thinned = findings.thinned.filter((stretch) => stretch.ledger === ledger);
    bad.push(...(await resolveIn(ledger, look, tally, { suspects: distinct(suspects), thinned })));
  }
  return bad;
}

/** Several things may tell that one blob is gone; the first says it. */
function distinct(suspects: readonly Suspect[]): Suspect[] {
  return [...new Map(suspects.toReversed().map((suspect) => [suspect.blob, suspect])).values()].toReversed();
}

async function resolveIn(
  ledger: VaultLedger,
  look: Look,
  tally: VerifyTally,
  { suspects, thinned }: StructureFindings,
): Promise<BadBlob[]> {
  const { source, trusted, signal } = look;
  const { vault } = ledger.survey;
  const query = { vault, source, trusted, ...(signal && { signal }) };
  const announced = await listRemovals(query);
  const bad: BadBlob[] = [];
  const missing: string[] = [];
  for (const suspect of suspects) {
    const { blob, code, message, isAlone } = suspect;
    if (await isExplained(suspect, announced, query)) {
      ledger.failed.delete(blob);
      continue;
    }
    missing.push(blob);
    // A broken link is told by the chain each time; what it names may be good itself.
    if (code !== "CHAIN_BROKEN") ledger.failed.set(blob, code);
    tally.fail(vault.name, blob, { code, message });
    const healed = (): void => void ledger.failed.delete(blob);
    if (isAlone) bad.push({ vault, blob, expected: "record", reason: { code, message }, healed });
  }
  for (const stretch of thinned) {
    const lost = unexplained(stretch, removedBlobs(announced, source), missing);
    if (lost <= 0) continue;
    const blob = ledger.nameIn(stretch.place, stretch.from);
    const message = `${lost} of ${stretch.stood} blobs that stood from here to ${stretch.to} are gone, and no record says why`;
    tally.fail(vault.name, blob, { code: "RECORD_REMOVED", message });
  }
  return bad;
}

/** Whether a signed record says why it is gone, or it lies elsewhere in the vault by now. */
async function isExplained(
  { ledger, blob, explainedBy }: Suspect,
  announced: ReadonlyMap<string, AnnouncedItem>,
  query: SegmentQuery,
): Promise<boolean> {
  const removal = lastRemoval(explainedBy, announced) ?? announcedWith(blob, announced, query.source);
  if (removal !== undefined && removal.replacedBy === undefined) return true;
  const log = logPlace(query.source);
  const id = idOfRecord(log, blob);
  if (id === undefined) return false;
  // What was merged, announced or not, has to be in a merged blob; one that is damaged is told under its own name.
  const failedMerged = [...ledger.failed.keys()].some(
    (name) => name.startsWith(log.prefix) && mayHold(name, log.prefix, id),
  );
  return failedMerged || (await findInMerged(query, id)) !== undefined;
}

function mayHold(name: string, prefix: string, id: string): boolean {
  const rest = name.slice(prefix.length);
  return rest.includes(".") && rest >= id;
}

/** The announcement of one of these; where it was replaced by something that was announced later, that of the replacement. */
function lastRemoval(
  wanted: readonly string[],
  announced: ReadonlyMap<string, AnnouncedItem>,
): AnnouncedItem | undefined {
  const all = [...announced.values()];
  let removal = all.find(({ id, sha256 = "" }) => wanted.includes(id) || wanted.includes(sha256));
  for (let next = removal; next !== undefined; next = announced.get(next.replacedBy ?? "")) removal = next;
  return removal;
}

/** A segment that lay in a blob with others was announced, and the blob with it. */
function announcedWith(
  blob: string,
  announced: ReadonlyMap<string, AnnouncedItem>,
  source: string,
): AnnouncedItem | undefined {
  return [...announced.values()].find((item) => item.replacedBy === undefined && blobsOf(item, source).includes(blob));
}

function removedBlobs(announced: ReadonlyMap<string, AnnouncedItem>, source: string): Set<string> {
  return new Set([...announced.values()].flatMap((item) => blobsOf(item, source)));
}

/** How many went that neither a removal record nor a suspect of its own tells of. */
function unexplained(
  { ledger, place, from, to, stood, stand }: Thinned,
  removed: ReadonlySet<string>,
  missing: readonly string[],
): number {
  const [first, last] = [ledger.nameIn(place, from), ledger.nameIn(place, to)];
  const present = new Set((ledger.survey.places.get(place) ?? []).map(({ name }) => ledger.nameIn(place, name)));
  const explained = new Set([...removed, ...missing]);
  const gone = [...explained].filter((blob) => blob >= first && blob <= last && !present.has(blob));
  return stood - stand - gone.length;
}
