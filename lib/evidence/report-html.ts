import { formatDuration } from "../core/time.ts";
import type { CalendarRow, JudgedSlot } from "./calendar.ts";
import { dotChart, type Lane, laneChart } from "./charts.ts";
import { escapeHtml, htmlPage, htmlTable } from "./html.ts";
import type { Kpis } from "./kpi.ts";
import { observedKeys, observedOf } from "./observed-time.ts";
import type { CitedReceipt } from "./read-receipts.ts";
import type { EvidenceReport } from "./report.ts";
import { type Lang, type Words, wordsOf } from "./words.ts";

/** The report for people: one page that can be printed and loads nothing. */
export function reportHtml(report: EvidenceReport, receipts: readonly CitedReceipt[], lang: Lang): string {
  const words = wordsOf(lang);
  const { from, to, madeAt, environment, tool, policyHash, invalid, unreadable } = report;
  const isIncomplete = invalid.length + unreadable.length > 0;
  const body = [
    `<h1>${escapeHtml(words.title)}</h1>`,
    `<p>${escapeHtml(`${words.environment} ${environment}. ${words.period}: ${from} – ${to}, ${words.madeAt} ${madeAt}, ${tool.name} ${tool.version} (${tool.commit ?? "-"}), policy ${policyHash}`)}</p>`,
    isIncomplete ? `<p class="warning">${escapeHtml(words.incomplete)}</p>` : "",
    isIncomplete
      ? htmlTable(
          ["", "", ""],
          [...invalid, ...unreadable].map(({ vault, code, message }) => [vault, code, message]),
          "",
        )
      : "",
    section(words.chain, chainTable(report, words)),
    section(words.calendar, calendarTable(report.calendar, words)),
    section(words.tests, testsTable(report.tests, words)),
    section(words.kpis, report.months.map((month) => kpiTable(month, words)).join("\n")),
    section(words.restores, restoreChart(report, words)),
    section(words.windows, windowChart(report, receipts, words)),
    section(words.population, populationTable(report, words)),
    section(words.controls, controlTable(report, words, lang)),
    section(words.receipts, receiptTable(report, words)),
  ];
  return htmlPage(lang, `${words.title}: ${environment}`, body.join("\n"));
}

function section(title: string, content: string): string {
  return `<h2>${escapeHtml(title)}</h2>\n${content}`;
}

function chainTable({ chain }: EvidenceReport, words: Words): string {
  const rows = chain.receipts.map(
    ({ source, vault, records, newest, problems, brokenRemovals, absent, lostSinceProof }) => {
      const faults = problems.length + brokenRemovals.length + absent.length + (lostSinceProof === null ? 0 : 1);
      return [
        source,
        vault,
        String(records),
        newest ?? words.none,
        faults === 0 ? words.proven : `${words.notProven}: ${faults}`,
      ];
    },
  );
  return htmlTable([words.source, words.vault, words.receipts, words.newest, words.state], rows, words.none);
}

function calendarTable(rows: readonly CalendarRow[], words: Words): string {
  return htmlTable(
    [
      words.activity,
      words.source,
      words.cadence,
      words.lastRun,
      words.lastPass,
      words.nextDue,
      words.overdue,
      words.waived,
    ],
    rows.map((row) => [
      row.activity,
      row.source ?? "",
      row.unplanned ? `${row.cadence} (${words.unplanned})` : row.cadence,
      row.lastRun?.at ?? words.none,
      row.lastPass?.at ?? words.none,
      row.nextDue ?? words.unknown,
      String(row.overdue.length),
      String(row.waived.length),
    ]),
    words.none,
  );
}

function testsTable(slots: readonly JudgedSlot[], words: Words): string {
  const note = ({ moved, waived }: JudgedSlot) =>
    [
      moved ? `${words.moved} ${words.from} ${moved.from}: ${moved.reason} (${moved.by})` : "",
      waived ? `${words.waived} ${words.until} ${waived.until}: ${waived.reason} (${waived.by})` : "",
    ]
      .filter((part) => part !== "")
      .join("; ");
  return htmlTable(
    [words.activity, words.source, words.due, words.state, words.runs, words.note],
    slots.map((slot) => [slot.activity, slot.source ?? "", slot.due, slot.state, slot.runs.join(" "), note(slot)]),
    words.none,
  );
}

function kpiTable(kpis: Kpis, words: Words): string {
  const { meanSeconds, p50Seconds, p90Seconds, n } = kpis.restoreTime;
  const duration = (seconds: number | null) => (seconds === null ? words.none : formatDuration(seconds * 1000));
  const availability = kpis.availability.map(({ source, percent, measuredBy }) =>
    percent === null ? `${source}: ${words.notMeasured}` : `${source}: ${percent.toFixed(3)} % (${measuredBy})`,
  );
  const rpo = kpis.rpo.map(({ source, breachMinutes, unknownMinutes, unobservedMinutes }) =>
    breachMinutes === null
      ? `${source}: ${words.notMeasured}`
      : `${source}: ${breachMinutes.toFixed(1)} (${(unknownMinutes ?? 0).toFixed(1)}; ${unobservedMinutes.toFixed(1)})`,
  );
  const coverage = kpis.verification.map(({ source, vault, fulls, fullsProven }) =>
    fulls === null ? `${source}/${vault}: ${words.notMeasured}` : `${source}/${vault}: ${fullsProven}/${fulls}`,
  );
  const { due, onTime, percentOnTime } = kpis.tests;
  return htmlTable(
    [words.month, kpis.from.slice(0, 7)],
    [
      [words.availability, availability.join("; ")],
      [words.restoreTime, `${duration(meanSeconds)} / ${duration(p50Seconds)} / ${duration(p90Seconds)} (${n})`],
      [words.severity1, String(kpis.incidents.severity1)],
      [words.onTime, percentOnTime === null ? words.none : `${percentOnTime.toFixed(1)} % (${onTime}/${due})`],
      [words.rpoBreach, rpo.join("; ")],
      [words.coverage, coverage.join("; ")],
    ],
    "",
  );
}

function restoreChart(report: EvidenceReport, words: Words): string {
  if (report.restores.length === 0) return htmlTable([], [], words.none);
  const promised = report.restores.flatMap(({ rtoPromisedSeconds }) => rtoPromisedSeconds ?? []);
  const points = report.restores.map(({ at, rtoSeconds, passed, job, receipt }) => ({
    at: Date.parse(at),
    value: rtoSeconds,
    title: `${job} ${at}: ${formatDuration(rtoSeconds * 1000)}, ${receipt}`,
    isBad: !passed,
  }));
  const label = (seconds: number) => formatDuration(seconds * 1000);
  const limit = promised.length === 0 ? null : Math.min(...promised);
  const chart = dotChart(spanOf(report), points, limit, label, words.restores);
  return `${chart}<p class="empty">${escapeHtml(words.promisedLine)}</p>`;
}

function windowChart(report: EvidenceReport, receipts: readonly CitedReceipt[], words: Words): string {
  const sources = [...new Set(receipts.map(({ content }) => content.source))];
  const lanes = sources.flatMap((source): Lane[] => {
    const own = receipts.filter(({ content }) => content.source === source);
    return observedKeys(own).map((key) => ({
      name: `${source} ${key.replace("vault:", "")}`,
      bars: observedOf(own, key, new Date(report.from), new Date(report.to)).map(({ from, until, state }) => ({
        from,
        to: until,
        title: `${state} ${new Date(from).toISOString()} – ${new Date(until).toISOString()}`,
        tone: toneOf(state),
      })),
    }));
  });
  if (lanes.length === 0) return htmlTable([], [], words.notMeasured);
  return `${laneChart(spanOf(report), lanes, words.windows)}<p class="empty">${escapeHtml(words.windowsNote)}</p>`;
}

function toneOf(state: string): "good" | "bad" | "unknown" {
  if (state === "fresh" || state === "late" || state === "up") return "good";
  return state === "breached" || state === "down" ? "bad" : "unknown";
}

function spanOf({ from, to, madeAt }: EvidenceReport) {
  return { from: Date.parse(from), to: Math.max(Date.parse(from) + 1, Math.min(Date.parse(to), Date.parse(madeAt))) };
}

function populationTable({ population }: EvidenceReport, words: Words): string {
  const count = (value: number | null) => (value === null ? words.unknown : String(value));
  return htmlTable(
    [
      words.source,
      words.job,
      words.cadence,
      words.scheduled,
      words.run,
      words.late,
      words.missed,
      words.failed,
      words.interrupted,
    ],
    population.map(({ source, job, schedule, scheduled, run, late, missed, failed, interrupted }) => [
      source,
      job,
      schedule,
      count(scheduled),
      String(run),
      count(late),
      count(missed),
      String(failed),
      String(interrupted),
    ]),
    words.none,
  );
}

function controlTable({ controls }: EvidenceReport, words: Words, lang: Lang): string {
  const partName = {
    population: words.population,
    tests: words.tests,
    restoreTime: words.restores,
    rpo: words.windows,
    availability: words.availability,
    incidents: words.severity1,
    verification: words.coverage,
    chain: words.chain,
  };
  const rows = controls.map(({ id, title, parts }) => [
    id,
    title[lang],
    parts.map((part) => partName[part]).join("; "),
  ]);
  return htmlTable(["", words.controls, words.answeredBy], rows, words.none);
}

function receiptTable({ receipts }: EvidenceReport, words: Words): string {
  return htmlTable(
    ["id", words.source, words.job, words.state, words.signed, words.hash],
    receipts.map(({ id, source, job, state, signedAt, sha256, error }) => [
      id,
      source,
      job,
      error ? `${state}: ${error.code}` : state,
      signedAt,
      sha256,
    ]),
    words.none,
  );
}
