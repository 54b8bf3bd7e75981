import { idTime } from "../core/ids.ts";
import type { KnownDamage } from "./damage.ts";
import type { Manifest } from "./manifest.ts";
import { dataName, sourcePrefix } from "./names.ts";
import { type Proof, provenFulls, provenRanges, toRanges } from "./proofs.ts";
import type { FullProof, VaultProofs } from "./proofs-record.ts";
import type { ValidRecord } from "./record.ts";
import type { VaultCoverage } from "./verify-report.ts";
import { type Survey, writtenAt } from "./verify-survey.ts";

/** What was seen to be wrong, and since when that is known. */
export interface Failure {
  code: string;
  /** ISO 8601. */
  at: string;
}

/** What is known of a vault before it is verified. */
export interface LedgerBefore {
  known: VaultProofs | undefined;
  /** What signed statements call bad. */
  damage: KnownDamage;
  now: Date;
}

/** What is known of one vault while it is verified: what earlier ledgers prove of what stands there now, and what is added. */
export class VaultLedger {
  readonly survey: Survey;
  /** By the id of the backup. */
  readonly fulls: Map<string, FullProof>;
  /** By the place, then by the name in it. */
  readonly places: Map<string, Map<string, Proof>>;
  /** By the name of the blob. */
  readonly failed: Map<string, Failure>;
  /** What a signed statement calls bad, and was proven now. */
  readonly recovered = new Set<string>();
  readonly now: Date;
  readonly #source: string;
  readonly #damage: KnownDamage;

  constructor(source: string, survey: Survey, { known, damage, now }: LedgerBefore) {
    this.#source = source;
    this.survey = survey;
    this.#damage = damage;
    this.now = now;
    this.failed = new Map([
      ...Array.from(damage, ([blob, { reason, at }]): [string, Failure] => [blob, { code: reason.code, at }]),
      ...(known?.failed ?? []).map(({ blob, code, at }): [string, Failure] => [blob, { code, at }]),
    ]);
    const proven = known ? provenFulls(known, survey.fulls) : new Map<string, Proof>();
    this.fulls = new Map(
      this.validFulls.map(({ id, sha256 }) => {
        const before = known?.fulls.find((full) => full.id === id && full.sha256 === sha256);
        const { at = null, deepAt } = proven.get(id) ?? {};
        const begun = before?.begun && { begun: before.begun };
        return [id, { id, sha256, at, ...(deepAt !== undefined && { deepAt }), ...begun }];
      }),
    );
    this.places = new Map(
      Array.from(survey.places, ([place, things]) => [place, provenRanges(known?.places[place]?.ranges ?? [], things)]),
    );
  }

  get validFulls(): ValidRecord<Manifest>[] {
    return this.survey.fulls.filter((entry) => entry.state === "valid");
  }

  /** Whether a blob of that backup, its manifest too, was seen to be wrong. */
  hasFailed(id: string): boolean {
    const folders = [dataName(this.#source, id, ""), `${sourcePrefix(this.#source)}full/${id}/`];
    return [...this.failed.keys()].some((blob) => folders.some((folder) => blob.startsWith(folder)));
  }

  /** A blob was seen to be wrong, or gone. */
  fail(blob: string, code: string): void {
    this.failed.set(blob, { code, at: this.failed.get(blob)?.at ?? this.now.toISOString() });
  }

  /** A blob was seen to be what it should be. */
  proved(blob: string): void {
    this.failed.delete(blob);
    if (this.#damage.has(blob)) this.recovered.add(blob);
  }

  nameIn(place: string, name: string): string {
    return `${sourcePrefix(this.#source)}${place}/${name}`;
  }

  /** What the next ledger says of this vault. */
  state(): VaultProofs {
    const places = Array.from(this.survey.places, ([place, things]): [string, VaultProofs["places"][string]] => {
      const newest = things.at(-1)?.name ?? null;
      return [place, { newest, ranges: toRanges(things, this.places.get(place) ?? new Map()) }];
    });
    return {
      vault: this.survey.vault.name,
      fulls: [...this.fulls.values()],
      places: Object.fromEntries(places),
      failed: Array.from(this.failed, ([blob, failure]) => ({ blob, ...failure })),
      since: this.#since(),
    };
  }

  coverage(): VaultCoverage {
    let [blobs, proven] = [0, 0];
    for (const { id, content } of this.validFulls) {
      const { at = null, begun } = this.fulls.get(id) ?? {};
      blobs += 1 + content.blobs.length;
      proven += at === null ? (begun?.blobs ?? 0) : 1 + content.blobs.length;
    }
    for (const [place, things] of this.survey.places) {
      blobs += things.length;
      proven += this.places.get(place)?.size ?? 0;
    }
    const failed = this.failed.size;
    const notLooked = Math.max(0, blobs - proven - failed);
    return {
      source: this.#source,
      vault: this.survey.vault.name,
      blobs,
      proven,
      failed,
      notLooked,
      since: this.#since(),
    };
  }

  #since(): string | null {
    let oldest: string | null = null;
    const add = (instant: string | undefined): void => {
      if (instant !== undefined && (oldest === null || instant < oldest)) oldest = instant;
    };
    for (const { id } of this.survey.fulls) add(this.fulls.get(id)?.at ?? idTime(id).toISOString());
    for (const [place, things] of this.survey.places) {
      for (const { name } of things) add(this.places.get(place)?.get(name)?.at ?? writtenAt(name));
    }
    return oldest;
  }
}
