import { isId } from "../core/ids.ts";
import { MergedIds } from "./merged-ids.ts";
import { type AnnouncedItem, blobsOf, listRemovals } from "./removal.ts";
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
  const announced = announcementsOf(await listRemovals(query), source);
  const merged = new MergedIds(query, ledger.nameIn("log", ""), ledger.survey.places.get("log") ?? []);
  const bad: BadBlob[] = [];
  const missing: string[] = [];
  for (const suspect of suspects) {
    const { blob, code, message, isAlone } = suspect;
    if (await isExplained(suspect, announced, merged)) {
      ledger.failed.delete(blob);
      continue;
    }
    missing.push(blob);
    // A broken link is told by the chain each time; what it names may be good itself.
    if (code !== "CHAIN_BROKEN") ledger.fail(blob, code);
    tally.fail(vault.name, blob, { code, message });
    const healed = (): void => void ledger.failed.delete(blob);
    if (isAlone) bad.push({ vault, blob, expected: "record", reason: { code, message }, healed });
  }
  for (const stretch of thinned) {
    const lost = unexplained(stretch, announced.byBlob, missing);
    if (lost <= 0) continue;
    const blob = ledger.nameIn(stretch.place, stretch.from);
    const message = `${lost} of ${stretch.stood} blobs that stood from here to ${stretch.to} are gone, and no record says why`;
    tally.fail(vault.name, blob, { code: "RECORD_REMOVED", message });
  }
  return bad;
}

/** What was announced to go, by its id or the SHA-256 of its record, and by the blobs that go with it. */
interface Announcements {
  byId: ReadonlyMap<string, AnnouncedItem>;
  byBlob: ReadonlyMap<string, AnnouncedItem>;
}

function announcementsOf(announced: ReadonlyMap<string, AnnouncedItem>, source: string): Announcements {
  const items = [...announced.values()];
  const byHash = items.flatMap((item): [string, AnnouncedItem][] => (item.sha256 ? [[item.sha256, item]] : []));
  const byBlob = items.flatMap((item) => blobsOf(item, source).map((blob): [string, AnnouncedItem] => [blob, item]));
  return { byId: new Map([...byHash, ...announced]), byBlob: new Map(byBlob) };
}

/** Whether a signed record says why it is gone, or it lies elsewhere in the vault by now. */
async function isExplained(
  { ledger, blob, explainedBy }: Suspect,
  { byId, byBlob }: Announcements,
  merged: MergedIds,
): Promise<boolean> {
  let removal = explainedBy.flatMap((one) => byId.get(one) ?? []).at(0) ?? byBlob.get(blob);
  // What was replaced by something that was announced later is explained by that.
  for (let next = removal; next !== undefined; next = byId.get(next.replacedBy ?? "")) removal = next;
  if (removal !== undefined && removal.replacedBy === undefined) return true;
  const prefix = ledger.nameIn("log", "");
  const id = blob.slice(prefix.length);
  if (!blob.startsWith(prefix) || !isId(id)) return false;
  // What was merged, announced or not, has to be in a merged blob; one that is damaged is told under its own name.
  const mayBeIn = (name: string) => name.startsWith(prefix) && isMergedBehind(name.slice(prefix.length), id);
  return [...ledger.failed.keys()].some(mayBeIn) || (await merged.has(id));
}

/** A merged blob holds nothing that is newer than the first id in its name. */
function isMergedBehind(name: string, id: string): boolean {
  return name.includes(".") && name >= id;
}

/** How many went that neither a removal record nor a suspect of its own tells of. */
function unexplained(
  { ledger, place, from, to, stood, stand }: Thinned,
  removed: ReadonlyMap<string, AnnouncedItem>,
  missing: readonly string[],
): number {
  const [first, last] = [ledger.nameIn(place, from), ledger.nameIn(place, to)];
  const present = new Set((ledger.survey.places.get(place) ?? []).map(({ name }) => ledger.nameIn(place, name)));
  const explained = new Set([...removed.keys(), ...missing]);
  const gone = [...explained].filter((blob) => blob >= first && blob <= last && !present.has(blob));
  return stood - stand - gone.length;
}
