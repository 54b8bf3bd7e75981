import { AppError } from "../core/errors.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { proveReceipts, type ReceiptsProof } from "../vault/prove-receipts.ts";
import { listProofRecords, type ProofsRecord } from "../vault/proofs-record.ts";
import { activitiesOf } from "./activities.ts";
import { type CalendarRow, calendarRow, type JudgedSlot } from "./calendar.ts";
import { CONTROLS, type Control } from "./controls.ts";
import { isWithin, type Kpis, type KpiInput, kpisOf, monthsOf, slotsDue } from "./kpi.ts";
import { observedKeys, observedOf } from "./observed-time.ts";
import { populationOf, type Population } from "./population.ts";
import { type CitedReceipt, readReceipts, type ReceiptsRead } from "./read-receipts.ts";
import { type MeasuredRestoreTest, measuredRestores } from "./restores.ts";

/** The evidence of a period. Its shape only grows. */
export interface EvidenceReport {
  format: "resguardo-evidence";
  version: 1;
  environment: string;
  from: string;
  to: string;
  madeAt: string;
  tool: Context["tool"];
  policyHash: string;
  /** From when on tests are asked for: the first receipt. Null while there is none. */
  since: string | null;
  calendar: CalendarRow[];
  /** Every test that was due in the period, with what became of it. */
  tests: JudgedSlot[];
  population: Population[];
  /** Of the whole period, then of each month. */
  kpis: Kpis;
  months: Kpis[];
  restores: MeasuredRestoreTest[];
  /** Stretches in which a vault was not within the RPO, or the service was not up. */
  breaches: { source: string; what: string; state: string; from: string; until: string; receipt: string }[];
  /** Every receipt that was signed in the period. */
  receipts: {
    id: string;
    source: string;
    job: string;
    state: string;
    startedAt: string;
    finishedAt: string;
    signedAt: string;
    sha256: string;
    error?: { code: string; message: string };
  }[];
  /** Records that can't be believed, and vaults that could not be asked: the report is incomplete by these. */
  invalid: ReceiptsRead["invalid"];
  unreadable: ReceiptsRead["unreadable"];
  chain: ReceiptsProof;
  controls: readonly Control[];
}

export interface Period {
  from: Date;
  to: Date;
}

/** Everything that evidence is computed from. */
export interface EvidenceBasis extends KpiInput {
  invalid: ReceiptsRead["invalid"];
  unreadable: ReceiptsRead["unreadable"];
}

/** Reads all receipts and ledgers of all sources. Throws what no vault could tell. */
export async function readBasis(context: Context): Promise<EvidenceBasis> {
  const { policy, clock } = context;
  const trusted = await context.trustedKeys();
  const receipts: CitedReceipt[] = [];
  const invalid: ReceiptsRead["invalid"] = [];
  const unreadable: ReceiptsRead["unreadable"] = [];
  const ledgers = new Map<string, ProofsRecord[]>();
  for (const source of policy.sources) {
    const vaults = vaultsOf(context, source);
    const read = await readReceipts({ vaults, source: source.name, trusted });
    receipts.push(...read.receipts);
    invalid.push(...read.invalid);
    unreadable.push(...read.unreadable);
    const away = new Set(read.unreadable.map(({ vault }) => vault));
    const vault = vaults.find(({ name }) => !away.has(name));
    const entries = vault ? await listProofRecords({ vault, source: source.name, trusted }) : [];
    ledgers.set(
      source.name,
      entries.flatMap((entry) => (entry.state === "valid" ? [entry.content] : [])),
    );
  }
  receipts.sort((a, b) => (a.content.id < b.content.id ? -1 : 1));
  const now = clock();
  const [first] = receipts.map(({ content }) => content.startedAt).toSorted();
  const since = first === undefined ? now : new Date(first);
  return {
    sources: policy.sources,
    activities: activitiesOf(policy),
    receipts,
    ledgers,
    since,
    now,
    invalid,
    unreadable,
  };
}

/** The evidence of a period. Throws USAGE for a period that is none, and what no vault could tell. */
export async function collectEvidence(
  context: Context,
  period: Period,
): Promise<{
  report: EvidenceReport;
  receipts: CitedReceipt[];
}> {
  const { from, to } = period;
  if (!(from < to)) throw new AppError("USAGE", `the period is empty: ${from.toISOString()} to ${to.toISOString()}`);
  const basis = await readBasis(context);
  const chain = await proveReceipts({
    vaults: [...context.vaults.values()].filter(({ name }) => !basis.unreadable.some(({ vault }) => vault === name)),
    sources: context.policy.sources.map(({ name }) => name),
    trusted: await context.trustedKeys(),
    now: basis.now,
  });
  const report = reportOf(basis, period, { ...context, environment: context.policy.environment, chain });
  const cited = new Set(report.receipts.map(({ id, source }) => `${source} ${id}`));
  const receipts = basis.receipts.filter(({ content }) => cited.has(`${content.source} ${content.id}`));
  return { report, receipts };
}

/** The report of a period from what was read. Pure. */
export function reportOf(
  basis: EvidenceBasis,
  { from, to }: Period,
  about: Pick<Context, "tool" | "policyHash"> & { environment: string; chain: ReceiptsProof },
): EvidenceReport {
  const { receipts, sources, activities, since, now } = basis;
  const end = to < now ? to : now;
  const within = receipts.filter(
    ({ content, signedAt }) => isWithin(content.startedAt, from, to) || isWithin(signedAt, from, to),
  );
  return {
    format: "resguardo-evidence",
    version: 1,
    environment: about.environment,
    from: from.toISOString(),
    to: to.toISOString(),
    madeAt: now.toISOString(),
    tool: about.tool,
    policyHash: about.policyHash,
    since: receipts.length === 0 ? null : since.toISOString(),
    calendar: activities.map((activity) => calendarRow(activity, receipts, since, now)),
    tests: slotsDue(basis, from, end),
    population: sources.flatMap((source) => populationOf(source, receipts, { from, to: end, since })),
    kpis: kpisOf(basis, from, end),
    months: monthsOf(from, end).map((month) => kpisOf(basis, month.from, month.to)),
    restores: measuredRestores(within),
    breaches: breachesOf(basis, from, end),
    receipts: within.map(({ content, signedAt, sha256 }) => {
      const { id, source, job, state, startedAt, finishedAt, error } = content;
      const shown = error && { error: { code: error.code, message: error.message } };
      return { id, source, job, state, startedAt, finishedAt, signedAt, sha256, ...shown };
    }),
    invalid: basis.invalid,
    unreadable: basis.unreadable,
    chain: about.chain,
    controls: CONTROLS,
  };
}

const GOOD = new Set(["fresh", "late", "up"]);

function breachesOf({ sources, receipts }: EvidenceBasis, from: Date, to: Date): EvidenceReport["breaches"] {
  return sources.flatMap(({ name }) => {
    const own = receipts.filter(({ content }) => content.source === name);
    return observedKeys(own).flatMap((what) =>
      observedOf(own, what, from, to)
        .filter(({ state }) => !GOOD.has(state))
        .map(({ state, receipt, ...stretch }) => ({
          source: name,
          what,
          state,
          from: new Date(stretch.from).toISOString(),
          until: new Date(stretch.until).toISOString(),
          receipt,
        })),
    );
  });
}
