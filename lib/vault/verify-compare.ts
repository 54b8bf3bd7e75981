import { fullPlace } from "./names.ts";
import { hourOf } from "./segment-place.ts";
import type { VaultProofs } from "./proofs-record.ts";
import type { VaultBehind } from "./verify-report.ts";
import { gone, idIn, type Suspect } from "./verify-structure.ts";
import type { VaultLedger } from "./verify-ledger.ts";

/** What every vault of a source has to have alike. */
const COMPARED = ["log", "runs"] as const;

export interface Comparison {
  suspects: Suspect[];
  behind: VaultBehind[];
}

/**
 * Compares the vaults of a source by what stands in them. What one lacks and had when it was last looked at is gone; what it
 * never had makes it behind. Reads nothing.
 */
export function compareVaults(
  source: string,
  ledgers: readonly VaultLedger[],
  known: ReadonlyMap<string, VaultProofs>,
): Comparison {
  const suspects: Suspect[] = [];
  const behind: VaultBehind[] = [];
  for (const ledger of ledgers) {
    const others = ledgers.filter((other) => other !== ledger);
    const { name: vault } = ledger.survey.vault;
    const state = known.get(vault);
    const lacks: VaultBehind = { source, vault, fulls: 0, segments: 0, runs: 0 };
    const merged = (ledger.survey.places.get("log") ?? []).flatMap(({ name }) => (isMerged("log", name) ? [name] : []));
    for (const place of COMPARED) {
      const own = new Set(ledger.survey.places.get(place)?.map(({ name }) => name));
      const ranges = state?.places[place]?.ranges ?? [];
      for (const name of namesIn(others, place)) {
        if (own.has(name)) continue;
        const wasThere = ranges.some(({ from, to }) => name >= from && name <= to);
        if (wasThere) suspects.push(gone(ledger, ledger.nameIn(place, name), idIn(name)));
        else if (place === "log" && mayLieMerged(name, merged)) continue;
        else lacks[place === "log" ? "segments" : "runs"]++;
      }
    }
    lacks.fulls = lackingFulls(ledger, others, state).length;
    suspects.push(...differing(source, ledger, others));
    if (lacks.fulls + lacks.segments + lacks.runs > 0) behind.push(lacks);
  }
  return { suspects, behind };
}

function namesIn(ledgers: readonly VaultLedger[], place: string): Set<string> {
  const things = ledgers.flatMap(({ survey }) => survey.places.get(place) ?? []);
  // Merged blobs are each vault's own; their segments are compared by what removed them.
  return new Set(things.flatMap(({ name }) => (isMerged(place, name) ? [] : [name])));
}

function isMerged(place: string, name: string): boolean {
  return place === "log" && name.includes(".");
}

/** Whether a merged blob may hold the segment, by the names alone; one that it does not hold is missed when its follower is read. */
function mayLieMerged(id: string, merged: readonly string[]): boolean {
  return merged.some((name) => name > id && hourOf(name) === hourOf(id));
}

/** The ids that others have and this vault never had. */
function lackingFulls(ledger: VaultLedger, others: readonly VaultLedger[], state: VaultProofs | undefined): string[] {
  const own = new Set(ledger.survey.fulls.map(({ id }) => id));
  const had = new Set(state?.fulls.map(({ id }) => id));
  const theirs = new Set(others.flatMap((other) => other.validFulls.map(({ id }) => id)));
  return [...theirs].filter((id) => !own.has(id) && !had.has(id));
}

/** Both are signed, and they are not the same: one of them is not what was written. */
function differing(source: string, ledger: VaultLedger, others: readonly VaultLedger[]): Suspect[] {
  return ledger.validFulls.flatMap(({ id, sha256 }) => {
    const other = others.find(({ validFulls }) =>
      validFulls.some((entry) => entry.id === id && entry.sha256 !== sha256),
    );
    if (other === undefined) return [];
    const message = `vault ${other.survey.vault.name} holds another manifest of this backup`;
    return [
      {
        ledger,
        blob: fullPlace(source).nameOf(id),
        code: "VAULTS_DIFFER" as const,
        message,
        explainedBy: [],
        isAlone: false,
      },
    ];
  });
}
