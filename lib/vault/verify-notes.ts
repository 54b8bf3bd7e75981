import { toAppError } from "../core/errors.ts";
import type { VerifyItem } from "./verify-plan.ts";
import type { Outcome } from "./verify-report.ts";

interface Proving {
  /** ISO 8601. */
  at: string;
  isDeep: boolean;
}

/** Notes in the ledger what was seen of one thing. What was not looked at keeps the proof that it has. */
export function noteThing(
  { ledger, place, thing }: Extract<VerifyItem, { kind: "thing" }>,
  blob: string,
  outcome: Outcome,
  error: unknown,
  { at, isDeep }: Proving,
): void {
  const proofs = ledger.places.get(place) ?? new Map();
  ledger.places.set(place, proofs);
  if (outcome === "proven") {
    const deepAt = isDeep ? at : proofs.get(thing.name)?.deepAt;
    proofs.set(thing.name, { at, ...(deepAt !== undefined && { deepAt }) });
    ledger.proved(blob);
  } else if (outcome === "failed") {
    proofs.delete(thing.name);
    ledger.fail(blob, toAppError(error).code);
  }
}

/** What is seen of a backup, blob after blob in the order of its manifest. It is proven when all of them are. */
export class FullTrace {
  readonly #item: Extract<VerifyItem, { kind: "full" }>;
  readonly #proving: Proving;
  readonly #seen: { blob: string; outcome: Outcome }[] = [];

  constructor(item: Extract<VerifyItem, { kind: "full" }>, proving: Proving) {
    this.#item = item;
    this.#proving = proving;
  }

  add(blob: string, outcome: Outcome, error: unknown): void {
    const { ledger } = this.#item;
    this.#seen.push({ blob, outcome });
    if (outcome === "proven") ledger.proved(blob);
    if (outcome === "failed") ledger.fail(blob, toAppError(error).code);
  }

  /** A blob that was wrong was replaced and read back. */
  healed(blob: string): void {
    for (const seen of this.#seen) if (seen.blob === blob) seen.outcome = "proven";
    this.#item.ledger.failed.delete(blob);
    this.note();
  }

  /** Notes it in the ledger, after the last blob. */
  note(): void {
    const { ledger, entry, start } = this.#item;
    const { at, isDeep } = this.#proving;
    const before = ledger.fulls.get(entry.id);
    if (before === undefined) return;
    const { begun: _begun, ...proof } = before;
    const since = start?.at ?? at;
    const firstUnproven = this.#seen.findIndex(({ outcome }) => outcome !== "proven");
    const blobs = (start?.blobs ?? 0) + (firstUnproven === -1 ? this.#seen.length : firstUnproven);
    if (ledger.hasFailed(entry.id)) ledger.fulls.set(entry.id, { ...proof, at: null });
    else if (blobs === entry.content.blobs.length) {
      const isWhollyDeep = isDeep && start === undefined;
      ledger.fulls.set(entry.id, { ...proof, at: since, ...(isWhollyDeep && { deepAt: at }) });
    } else if (blobs > 0) ledger.fulls.set(entry.id, { ...proof, begun: { blobs, at: since } });
  }
}
