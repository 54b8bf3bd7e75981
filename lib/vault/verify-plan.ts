import { idTime } from "../core/ids.ts";
import type { Manifest } from "./manifest.ts";
import type { StoredThing } from "./proofs.ts";
import type { FullProof } from "./proofs-record.ts";
import type { ValidRecord } from "./record.ts";
import type { VaultLedger } from "./verify-ledger.ts";
import { writtenAt } from "./verify-survey.ts";

/** Something to be looked at in one vault. */
export type VerifyItem = { ledger: VaultLedger; sizeBytes: number } & (
  | {
      kind: "full";
      entry: ValidRecord<Manifest>;
      /** The first blob, and since when those before it are proven. */
      start: NonNullable<FullProof["begun"]> | undefined;
    }
  | { kind: "thing"; place: string; thing: StoredThing }
);

export interface PlanOptions {
  /** What was proven at this instant or later is left out. ISO 8601; absent: everything is looked at, from its beginning. */
  notProvenSince?: string | undefined;
}

interface Ranked {
  item: VerifyItem;
  hasFailed: boolean;
  isProven: boolean;
  /** When it was proven last, or else written. ISO 8601. */
  since: string;
  id: string;
}

/**
 * What is to be looked at: first what was seen to be wrong, then what was not proven for longest, counted from its writing where
 * it never was. Pure.
 */
export function planItems(ledgers: readonly VaultLedger[], { notProvenSince }: PlanOptions): VerifyItem[] {
  const ranked = ledgers.flatMap((ledger) => [...rankFulls(ledger, notProvenSince), ...rankThings(ledger)]);
  const isDue = ({ hasFailed, isProven, since }: Ranked) =>
    hasFailed || !isProven || notProvenSince === undefined || since < notProvenSince;
  return ranked
    .filter(isDue)
    .toSorted(compare)
    .map(({ item }) => item);
}

function compare(a: Ranked, b: Ranked): number {
  if (a.hasFailed !== b.hasFailed) return a.hasFailed ? -1 : 1;
  if (a.since !== b.since) return a.since < b.since ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function rankFulls(ledger: VaultLedger, notProvenSince: string | undefined): Ranked[] {
  return ledger.validFulls.map((entry) => {
    const { at = null, begun } = ledger.fulls.get(entry.id) ?? {};
    const hasFailed = ledger.hasFailed(entry.id);
    const canGoOn = notProvenSince !== undefined && !hasFailed;
    const start = canGoOn ? begun : undefined;
    const sizeBytes = entry.content.blobs.slice(start?.blobs).reduce((sum, blob) => sum + blob.sizeBytes, 0);
    const item: VerifyItem = { kind: "full", ledger, entry, start, sizeBytes };
    const since = at ?? idTime(entry.id).toISOString();
    return { item, hasFailed, isProven: at !== null, since, id: entry.id };
  });
}

function* rankThings(ledger: VaultLedger): Generator<Ranked, void, void> {
  for (const [place, things] of ledger.survey.places) {
    const proofs = ledger.places.get(place);
    for (const thing of things) {
      const at = proofs?.get(thing.name)?.at;
      const hasFailed = ledger.failed.has(ledger.nameIn(place, thing.name));
      const item: VerifyItem = { kind: "thing", ledger, place, thing, sizeBytes: thing.sizeBytes };
      const since = at ?? writtenAt(thing.name) ?? "";
      yield { item, hasFailed, isProven: at !== undefined, since, id: thing.name };
    }
  }
}
