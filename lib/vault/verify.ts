import { reportError, toAppError } from "../core/errors.ts";
import { noProgress, type Progress } from "../core/progress.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import { readDamage } from "./damage.ts";
import type { TrustedKeys } from "./keys/key.ts";
import type { ProofsRecord, VaultProofs } from "./proofs-record.ts";
import type { Vault } from "./vault.ts";
import { VerifyBudget } from "./verify-budget.ts";
import { compareVaults } from "./verify-compare.ts";
import { Evidence } from "./verify-evidence.ts";
import { VaultLedger } from "./verify-ledger.ts";
import { type KeyLook, verifyKeyRecords } from "./verify-keys.ts";
import type { DeepCheck, Look } from "./verify-look.ts";
import { planItems } from "./verify-plan.ts";
import { type VerifyReport, VerifyTally } from "./verify-report.ts";
import { type BadBlob, lookAtItems } from "./verify-items.ts";
import { resolveSuspects } from "./verify-suspects.ts";
import { findGone } from "./verify-structure.ts";
import { surveyVault } from "./verify-survey.ts";

export interface VerifyOptions {
  vaults: readonly Vault[];
  /** Name of the source. */
  source: string;
  trusted: TrustedKeys;
  /** What the private key adds. */
  deep?: DeepCheck | undefined;
  now: Date;
  /** The newest ledger of these vaults. */
  known?: ProofsRecord | undefined;
  /** What was proven at this instant or later is left out. Absent: everything is looked at, whatever is known of it. */
  notProvenSince?: Date | undefined;
  /** No blob is started after so many bytes, in all vaults together, or after so much time. */
  maxBytes?: number | undefined;
  maxMs?: number | undefined;
  /** Stops the work; what was not reached is reported as not looked at. */
  signal?: AbortSignal | undefined;
  progress?: Progress | undefined;
}

export interface Verification {
  report: VerifyReport;
  /** What the next ledger is to say of each vault, also after something was healed. */
  states(): VaultProofs[];
  /** What was found wrong and another vault may bring back. */
  bad: BadBlob[];
  /** What a signed statement calls bad and was proven now. */
  recovered: { vault: Vault; blob: string }[];
  elapsedMs: number;
}

/**
 * Reads back what the vaults hold of a source and compares it with the signed manifests, with what stood there before, and with
 * each other. Problems are data: a vault that can't be asked is reported as unreadable, and all else is only our own defect.
 */
export async function verifySource(options: VerifyOptions): Promise<Verification> {
  const { source, trusted, signal, progress = noProgress } = options;
  const budget = new VerifyBudget(options);
  const tally = new VerifyTally();
  const unreadable: VerifyReport["unreadable"] = [];
  const known = new Map(options.known?.states.map((state) => [state.vault, state]));
  const ledgers = await openLedgers(options, known, unreadable);
  const items = planItems(ledgers, { notProvenSince: options.notProvenSince?.toISOString() });
  const totalBytes = items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const look: Look = {
    source,
    trusted,
    signal,
    deep: options.deep,
    read: (bytes) => {
      budget.readBytes += bytes;
      progress({ phase: "verifying", doneBytes: budget.readBytes, totalBytes });
    },
  };
  const structure = ledgers.map((ledger) => findGone(source, ledger, known.get(ledger.survey.vault.name)));
  const compared = compareVaults(source, ledgers, known);
  const bad = judgeManifests(ledgers, tally);
  const before = await resolveSuspects(look, tally, {
    suspects: [...structure.flatMap(({ suspects }) => suspects), ...compared.suspects],
    thinned: structure.flatMap(({ thinned }) => thinned),
  });
  const evidence = new Evidence(source, ledgers);
  const seen = await lookAtItems(items, { look, budget, tally, evidence, at: options.now.toISOString() });
  const keys = budget.isOver ? [] : await lookAtKeys(options, ledgers, { tally, read: look.read });
  const after = await resolveSuspects(look, tally, { suspects: evidence.suspects(), thinned: [] });
  const { proven, failed, notLooked, problems } = tally;
  return {
    report: {
      proven,
      failed,
      notLooked,
      bytes: budget.readBytes,
      mbPerSecond: Math.round((budget.readBytes / 1e3 / Math.max(1, budget.elapsedMs)) * 10) / 10,
      inGrace: ledgers.reduce((sum, { survey }) => sum + inGrace(survey.fulls), 0),
      problems,
      coverage: ledgers.map((ledger) => ledger.coverage()),
      behind: compared.behind,
      unreadable,
    },
    states: () => withUnasked(known, ledgers),
    bad: [...bad, ...before, ...seen, ...keys, ...after],
    recovered: ledgers.flatMap(({ survey, recovered }) =>
      Array.from(recovered, (blob) => ({ vault: survey.vault, blob })),
    ),
    elapsedMs: budget.elapsedMs,
  };
}

async function lookAtKeys(
  { source, trusted, signal }: VerifyOptions,
  ledgers: readonly VaultLedger[],
  look: Omit<KeyLook, "proved">,
): Promise<BadBlob[]> {
  const bad: BadBlob[] = [];
  for (const ledger of ledgers) {
    const { vault, fulls } = ledger.survey;
    const query = { vault, source, trusted, ...(signal && { signal }) };
    bad.push(...(await verifyKeyRecords(query, fulls, { ...look, proved: (name) => ledger.proved(name) })));
  }
  return bad;
}

/** The survey has read all manifests; those that can't be believed have failed, whatever else there is time for. */
function judgeManifests(ledgers: readonly VaultLedger[], tally: VerifyTally): BadBlob[] {
  return ledgers.flatMap((ledger) => {
    const { vault, fulls } = ledger.survey;
    return fulls.flatMap((entry) => {
      if (entry.state === "valid") {
        ledger.proved(entry.name);
        return [];
      }
      tally.fail(vault.name, entry.name, entry.error);
      ledger.fail(entry.name, entry.error.code);
      const healed = (): void => void ledger.failed.delete(entry.name);
      return [{ vault, blob: entry.name, expected: "record" as const, reason: entry.error, healed }];
    });
  });
}

function inGrace(fulls: readonly CatalogueEntry[]): number {
  return fulls.filter((entry) => entry.state === "valid" && entry.graceUntil !== undefined).length;
}

type KnownStates = ReadonlyMap<string, VaultProofs>;

async function openLedgers(
  { vaults, source, trusted, now, signal }: VerifyOptions,
  known: KnownStates,
  unreadable: VerifyReport["unreadable"],
): Promise<VaultLedger[]> {
  const ledgers: VaultLedger[] = [];
  for (const vault of vaults) {
    try {
      const survey = await surveyVault({ vault, source, trusted, ...(signal && { signal }) });
      const damage = await readDamage({ vault, source, trusted, ...(signal && { signal }) });
      ledgers.push(new VaultLedger(source, survey, { known: known.get(vault.name), damage, now }));
    } catch (error: unknown) {
      if (toAppError(error).code === "INVARIANT") throw error;
      unreadable.push({ source, vault: vault.name, error: reportError(error) });
    }
  }
  return ledgers;
}

/** What is known of vaults that could not be asked now is not forgotten. */
function withUnasked(known: KnownStates, ledgers: readonly VaultLedger[]): VaultProofs[] {
  const states = ledgers.map((ledger) => ledger.state());
  return [...states, ...[...known.values()].filter(({ vault }) => !states.some((state) => state.vault === vault))];
}
