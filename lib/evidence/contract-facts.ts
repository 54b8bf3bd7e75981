import { z } from "zod";
import { formatDuration } from "../core/time.ts";
import { type CalendarRow, calendarRow } from "./calendar.ts";
import { isWithin, type Kpis, kpisOf } from "./kpi.ts";
import type { People } from "./people.ts";
import type { CitedReceipt } from "./read-receipts.ts";
import type { EvidenceBasis } from "./report.ts";
import type { Lang } from "./words.ts";

/** A value for the contract and where it comes from; without a value, why there is none. */
export type Fact = { value: string; from: string[] } | { missing: string };

/** Everything that the contract asks for and that can be known. */
export interface ContractFacts {
  /** By activity: restore, failover, dr, tabletop. */
  tests: Record<TestName, { last: Fact; next: Fact }>;
  lastDr: { date: Fact; result: Fact; rto: Fact; lessons: Fact };
  kpis: { availability: Fact; restoreTime: Fact; incidents: Fact; testsOnTime: Fact };
  people: People;
}

export type TestName = "restore" | "failover" | "dr" | "tabletop";

const TEXT = {
  passed: { en: "PASS", es: "PASS (aprobada)" },
  failed: { en: "FAIL", es: "FAIL (no aprobada)" },
  none: { en: "no receipt of such a run", es: "no hay recibo de tal ejecución" },
  notDue: { en: "it is not in the calendar", es: "no está en el calendario" },
  policy: { en: "calendar of the policy", es: "calendario de la política" },
  overdue: { en: "OVERDUE since", es: "VENCIDA desde" },
  noRto: { en: "the receipt tells no time", es: "el recibo no indica un tiempo" },
  noLessons: { en: "the receipt tells none", es: "el recibo no indica ninguna" },
  noProbe: { en: "nothing measured it in that month", es: "nada la midió en ese mes" },
  noRestores: { en: "no restore was measured in that month", es: "no se midió ningún restore en ese mes" },
  notWatched: { en: "no receipt in that month", es: "no hay recibos en ese mes" },
  noTests: { en: "no test was due in that month", es: "ninguna prueba vencía en ese mes" },
  observed: { en: "of the time observed", es: "del tiempo observado" },
  target: { en: "target", es: "objetivo" },
  median: { en: "mean", es: "media" },
  onTime: { en: "on time", es: "a tiempo" },
  recorded: { en: "recorded", es: "registrados" },
  hours: { en: "h", es: "h" },
} as const satisfies Record<string, Record<Lang, string>>;

const exerciseSchema = z.object({ exercise: z.object({ lessons: z.array(z.string()).min(1) }) });
const rtoSchema = z.object({ figures: z.object({ rtoSeconds: z.number().nonnegative() }) });

/** What can be known for the contract now. Nothing is guessed: a fact has its receipts, or says why it is missing. Pure. */
export function contractFacts(basis: EvidenceBasis, people: People, policyHash: string, lang: Lang): ContractFacts {
  const t = (key: keyof typeof TEXT) => TEXT[key][lang];
  const rows = basis.activities.map((activity) => calendarRow(activity, basis.receipts, basis.since, basis.now));
  const of = (...ids: string[]) => rows.filter(({ activity }) => ids.includes(activity));
  const test = (found: readonly CalendarRow[]) => ({
    last: lastRun(found, basis.receipts, t),
    next: nextDue(found, policyHash, t),
  });
  return {
    tests: {
      restore: test(of("drill-pitr", "drill-from-zero")),
      failover: test(of("database-failover")),
      dr: test(of("full-dr")),
      tabletop: test(of("tabletop")),
    },
    lastDr: lastDrOf(of("full-dr"), basis.receipts, t),
    kpis: kpiFacts(basis, t),
    people,
  };
}

type Translate = (key: keyof typeof TEXT) => string;

function newestRun(rows: readonly CalendarRow[], receipts: readonly CitedReceipt[]): CitedReceipt | undefined {
  const ids = rows.flatMap(({ lastRun: run }) => run?.receipt ?? []);
  return receipts
    .filter(({ content }) => ids.includes(content.id))
    .toSorted((a, b) => Date.parse(a.content.startedAt) - Date.parse(b.content.startedAt))
    .at(-1);
}

function lastRun(rows: readonly CalendarRow[], receipts: readonly CitedReceipt[], t: Translate): Fact {
  const run = newestRun(rows, receipts);
  if (!run) return { missing: t("none") };
  return { value: `${minute(run.content.finishedAt)} – ${outcome(run, t)}`, from: [cite(run)] };
}

function nextDue(rows: readonly CalendarRow[], policyHash: string, t: Translate): Fact {
  const [next] = rows
    .flatMap(({ nextDue: due, overdue }) => (due === null ? [] : [{ due, isOverdue: overdue.length > 0 }]))
    .toSorted((a, b) => (a.due < b.due ? -1 : 1));
  if (!next) return { missing: t("notDue") };
  const value = next.isOverdue ? `${t("overdue")} ${minute(next.due)}` : minute(next.due);
  return { value, from: [`${t("policy")} ${policyHash}`] };
}

function lastDrOf(rows: readonly CalendarRow[], receipts: readonly CitedReceipt[], t: Translate) {
  const run = newestRun(rows, receipts);
  const missing = { missing: t("none") };
  if (!run) return { date: missing, result: missing, rto: missing, lessons: missing };
  const from = [cite(run)];
  const rto = rtoSchema.safeParse(run.content.details).data?.figures.rtoSeconds;
  const lessons = exerciseSchema.safeParse(run.content.details).data?.exercise.lessons;
  return {
    date: { value: minute(run.content.finishedAt), from },
    result: { value: outcome(run, t), from },
    rto: rto === undefined ? { missing: t("noRto") } : { value: `${(rto / 3600).toFixed(2)} ${t("hours")}`, from },
    lessons: lessons ? { value: lessons.join("; "), from } : { missing: t("noLessons") },
  };
}

/** The last whole month, or the present one where the receipts begin in it. */
function kpiFacts(basis: EvidenceBasis, t: Translate): ContractFacts["kpis"] {
  const { since, now } = basis;
  const thisMonth = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1));
  const lastMonth = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 1));
  const [from, to] = since < thisMonth ? [lastMonth, thisMonth] : [thisMonth, now];
  const kpis = kpisOf(basis, from, to);
  const period = to === now ? `${minute(kpis.from)} – ${minute(kpis.to)}` : kpis.from.slice(0, 7);
  const within = basis.receipts.filter(({ content }) => isWithin(content.startedAt, from, to));
  const citeAll = (ids: readonly string[]) => within.filter(({ content }) => ids.includes(content.id)).map(cite);
  return {
    availability: availabilityFact(kpis, period, within, t),
    restoreTime: restoreFact(kpis, period, citeAll, t),
    // No receipt at all is no proof of a quiet month.
    incidents:
      within.length === 0
        ? { missing: t("notWatched") }
        : {
            value: `${kpis.incidents.severity1} ${t("recorded")} (${period})`,
            from: kpis.incidents.severity1 > 0 ? citeAll(kpis.incidents.receipts) : [span(within)],
          },
    testsOnTime:
      kpis.tests.percentOnTime === null
        ? { missing: `${t("noTests")} (${period})` }
        : {
            value: `${kpis.tests.percentOnTime.toFixed(1)} % ${t("onTime")} (${kpis.tests.onTime}/${kpis.tests.due}, ${period})`,
            from: kpis.tests.receipts.length > 0 ? citeAll(kpis.tests.receipts) : [span(within)],
          },
  };
}

function availabilityFact(kpis: Kpis, period: string, within: readonly CitedReceipt[], t: Translate): Fact {
  const measured = kpis.availability.filter(({ percent }) => percent !== null);
  if (measured.length === 0) return { missing: `${t("noProbe")} (${period})` };
  const values = measured.map(
    ({ source, percent, measuredBy, unobservedSeconds, targetPercent }) =>
      `${source} ${percent?.toFixed(3)} % ${t("observed")} (${t("target")} ${targetPercent} %, ${measuredBy}, -${formatDuration(unobservedSeconds * 1000)})`,
  );
  const watched = within.filter(({ content }) => content.job === "watch");
  return { value: `${values.join("; ")}, ${period}`, from: [span(watched)] };
}

function restoreFact(kpis: Kpis, period: string, citeAll: (ids: readonly string[]) => string[], t: Translate): Fact {
  const { meanSeconds, p50Seconds, p90Seconds, n, receipts } = kpis.restoreTime;
  if (meanSeconds === null) return { missing: `${t("noRestores")} (${period})` };
  const time = (seconds: number | null) => formatDuration((seconds ?? 0) * 1000);
  const value = `${t("median")} ${time(meanSeconds)}, p50 ${time(p50Seconds)}, p90 ${time(p90Seconds)}, n = ${n} (${period})`;
  return { value, from: citeAll(receipts) };
}

function outcome({ content }: CitedReceipt, t: Translate): string {
  return content.state === "done" ? t("passed") : `${t("failed")}${content.error ? ` (${content.error.code})` : ""}`;
}

function cite({ content: { job, source, id }, sha256 }: CitedReceipt): string {
  return `${job} ${source} ${id}, SHA-256 ${sha256}`;
}

/** Very many receipts at once: the first, the last and their number. */
function span(receipts: readonly CitedReceipt[]): string {
  const [first] = receipts;
  const last = receipts.at(-1);
  return first && last ? `${receipts.length}: ${cite(first)} … ${cite(last)}` : "0";
}

function minute(time: string): string {
  return `${time.slice(0, 16).replace("T", " ")} UTC`;
}
