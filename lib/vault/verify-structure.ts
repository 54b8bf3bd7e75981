import type { ErrorCode } from "../core/error-codes.ts";
import { checkChain } from "./chain.ts";
import { dataPrefix, fullPlace, idInName, rewrapPlace, sourcePrefix } from "./names.ts";
import { thingsIn } from "./proofs.ts";
import type { VaultProofs } from "./proofs-record.ts";
import type { VaultLedger } from "./verify-ledger.ts";

/** Something that must be in a vault and is not, unless a signed record says that it was removed. */
export interface Suspect {
  ledger: VaultLedger;
  blob: string;
  code: ErrorCode;
  message: string;
  /** What a removal must have announced to explain it: one of these ids, or SHA-256 of records. */
  explainedBy: readonly string[];
  /** The blob itself is gone, and is all of it: a copy heals. A backup's manifest must not come before its data. */
  isAlone: boolean;
}

/** A stretch of names from which something went; which ones, only the other vaults can tell. */
export interface Thinned {
  ledger: VaultLedger;
  place: string;
  from: string;
  to: string;
  /** How many stood there, and how many do. */
  stood: number;
  stand: number;
}

export interface StructureFindings {
  suspects: Suspect[];
  thinned: Thinned[];
}

/** What one vault's own chain, and what was known of it before, tell of what is gone. Reads nothing. */
export function findGone(source: string, ledger: VaultLedger, known: VaultProofs | undefined): StructureFindings {
  const suspects = [...brokenLinks(ledger), ...stillGone(source, ledger)];
  if (known === undefined) return { suspects, thinned: [] };
  const { survey } = ledger;
  const present = new Set(survey.fulls.map(({ id }) => id));
  for (const { id } of known.fulls) {
    if (!present.has(id)) suspects.push({ ...gone(ledger, fullPlace(source).nameOf(id), id), isAlone: false });
  }
  const thinned: Thinned[] = [];
  for (const [place, { newest, ranges }] of Object.entries(known.places)) {
    const things = survey.places.get(place) ?? [];
    if (newest !== null && !things.some(({ name }) => name === newest)) {
      suspects.push(gone(ledger, ledger.nameIn(place, newest), idIn(newest)));
    }
    for (const { from, to, count } of ranges) {
      const stand = thingsIn({ from, to }, things).length;
      if (stand < count) thinned.push({ ledger, place, from, to, stood: count, stand });
    }
  }
  return { suspects, thinned };
}

/** A record that was seen in a vault, or is told to be there by a signed one, and is not. */
export function gone(ledger: VaultLedger, blob: string, id: string): Suspect {
  const message = "it was there, and no record says why it is gone";
  return { ledger, blob, code: "RECORD_REMOVED", message, explainedBy: [id], isAlone: true };
}

/** The id in a blob's name in its place; the last one of a merged blob, which has two. */
export function idIn(name: string): string {
  return (
    name
      .replace(/\.json$/, "")
      .split(".")
      .at(-1) ?? name
  );
}

function brokenLinks(ledger: VaultLedger): Suspect[] {
  const { fulls, vault } = ledger.survey;
  return checkChain(fulls, vault.name).broken.map(({ name, previous }) => ({
    ledger,
    blob: name,
    code: "CHAIN_BROKEN",
    message: `the record before it, with SHA-256 ${previous.join(" or ")}, is not there`,
    explainedBy: previous,
    isAlone: false,
  }));
}

const TOLD_FOR_MS = 30 * 86_400_000;

/** What an earlier verification found to be gone is told until it is back, or a month has passed. */
function stillGone(source: string, ledger: VaultLedger): Suspect[] {
  return [...ledger.failed].flatMap(([blob, { at }]) => {
    if (isThere(source, ledger, blob)) return [];
    const isOld = ledger.now.getTime() - Date.parse(at) > TOLD_FOR_MS;
    // Data goes with its backup, which is told by its manifest; what says who may open and sign is looked at each time.
    if (isOld || blob.startsWith(dataPrefix(source)) || isOfKeys(source, blob)) {
      ledger.failed.delete(blob);
      return [];
    }
    const manifests = fullPlace(source);
    const id = idInName(blob, manifests.prefix);
    const name = blob.split("/").at(-1) ?? blob;
    return [id === undefined ? gone(ledger, blob, idIn(name)) : { ...gone(ledger, blob, id), isAlone: false }];
  });
}

function isOfKeys(source: string, blob: string): boolean {
  return !blob.startsWith(sourcePrefix(source)) || blob.startsWith(rewrapPlace(source).prefix);
}

/** Whether the blob, or the backup that it belongs to, stands in the vault. */
function isThere(source: string, { survey }: VaultLedger, blob: string): boolean {
  for (const prefix of [dataPrefix(source), fullPlace(source).prefix]) {
    if (blob.startsWith(prefix)) return survey.fulls.some(({ id }) => id === idInName(blob, prefix));
  }
  const [place = "", ...rest] = blob.slice(sourcePrefix(source).length).split("/");
  return survey.places.get(place)?.some(({ name }) => name === rest.join("/")) === true;
}
