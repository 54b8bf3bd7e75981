import { z } from "zod";
import { fullPlace, logPlace } from "./names.ts";
import type { ValidSegment } from "./segment-head.ts";
import type { VaultLedger } from "./verify-ledger.ts";
import { gone, type Suspect } from "./verify-structure.ts";

/** What receipts say that is there; of other runs, nothing. */
const receiptSchema = z.object({
  state: z.literal("done"),
  details: z.object({
    figures: z.object({
      /** Of a backup. */
      backup: z.string().optional(),
      /** Of shipping: the newest segment. */
      lastSegment: z.string().nullish(),
      /** Names of the vaults that have it, separated by commas. */
      vaults: z.string(),
    }),
  }),
});

/** What signed records tell that must be there, gathered while they are read: the newest ones, which no chain names yet, too. */
export class Evidence {
  readonly #source: string;
  readonly #ledgers: readonly VaultLedger[];
  /** Ids of segments that are there, those that were seen in merged blobs among them. */
  readonly #segments: ReadonlyMap<VaultLedger, Set<string>>;
  readonly #followed = new Map<VaultLedger, Map<string, string>>();
  readonly #suspects: Suspect[] = [];

  constructor(source: string, ledgers: readonly VaultLedger[]) {
    this.#source = source;
    this.#ledgers = ledgers;
    this.#segments = new Map(
      ledgers.map((ledger) => [ledger, new Set(ledger.survey.places.get("log")?.map(({ name }) => name))]),
    );
  }

  /** A receipt, wherever it lies, speaks of all vaults. */
  addReceipt(payload: unknown): void {
    const receipt = receiptSchema.safeParse(payload).data;
    if (receipt === undefined) return;
    const { backup, lastSegment, vaults } = receipt.details.figures;
    for (const ledger of this.#ledgers) {
      if (!vaults.split(", ").includes(ledger.survey.vault.name)) continue;
      if (backup !== undefined && !ledger.survey.fulls.some(({ id }) => id === backup)) {
        const blob = fullPlace(this.#source).nameOf(backup);
        this.#suspects.push({ ...gone(ledger, blob, backup), isAlone: false });
      }
      if (typeof lastSegment === "string") this.#expect(ledger, lastSegment, "a receipt names it");
    }
  }

  /** A segment names the one before it. */
  addSegments(ledger: VaultLedger, segments: readonly ValidSegment[]): void {
    for (const { id, content } of segments) {
      this.#segments.get(ledger)?.add(id);
      if (content.follows.kind === "segment") this.#expect(ledger, content.follows.id, `segment ${id} follows it`);
    }
  }

  suspects(): Suspect[] {
    const gaps = Array.from(this.#followed, ([ledger, followed]) =>
      Array.from(followed)
        .filter(([id]) => this.#segments.get(ledger)?.has(id) !== true)
        .map(([id, why]): Suspect => {
          const message = `segment ${id} is not there; ${why}`;
          const blob = logPlace(this.#source).nameOf(id);
          return { ledger, blob, code: "LOG_GAP", message, explainedBy: [id], isAlone: true };
        }),
    );
    return [...this.#suspects, ...gaps.flat()];
  }

  /** A branch may have left the log there: one that is missing is missing once. */
  #expect(ledger: VaultLedger, id: string, why: string): void {
    const followed = this.#followed.get(ledger) ?? new Map<string, string>();
    this.#followed.set(ledger, followed);
    if (!followed.has(id)) followed.set(id, why);
  }
}
