import { beforeAll, describe, expect, it } from "vitest";
import { calendarRow } from "../../../lib/evidence/calendar.ts";
import { parseExercise, recordCalendarChange, recordExercise } from "../../../lib/evidence/exercise.ts";
import { monthsOf, slotsDue } from "../../../lib/evidence/kpi.ts";
import { type EvidenceBasis, readBasis, reportOf } from "../../../lib/evidence/report.ts";
import { dueJobs, type SourceHistory } from "../../../lib/jobs/due.ts";
import { withRun } from "../../../lib/jobs/history.ts";
import { workName } from "../../../lib/jobs/message.ts";
import { DAY_MS, type EvidenceWorld, evidenceWorld } from "../../support/evidence-world.ts";

const TESTS = [
  { kind: "pitr", schedule: "0 0 5 1 * *", target: { env: "SCRATCH_URL" } },
  { kind: "from-zero", schedule: "0 0 6 1 */3 *", target: { env: "STAGING_URL" } },
];
const START = Date.UTC(2026, 0, 1);
const END = Date.UTC(2028, 0, 1);
/** The machine is down in that time: nothing runs. */
const DOWN = { from: Date.UTC(2026, 6, 20), to: Date.UTC(2026, 8, 10) };
/** In these two days every restore test fails. */
const BROKEN = { from: Date.UTC(2027, 2, 1), to: Date.UTC(2027, 2, 3) };

let world: EvidenceWorld;
let basis: EvidenceBasis;
const ran: string[] = [];

/** What the timers would ask for, a look every six hours; the work itself takes ten minutes and is not real. */
async function runClock(): Promise<void> {
  const [source] = world.context.policy.sources;
  if (!source) throw new Error("the policy has a source");
  let history: SourceHistory = new Map();
  for (let now = START; now < END; now += DAY_MS / 4) {
    world.time.now = new Date(now);
    if (now >= DOWN.from && now < DOWN.to) continue;
    await recordByHand(new Date(now).toISOString());
    if (history.size === 0) {
      await world.run("backup", { seconds: 0 });
      const at = world.time.now.toISOString();
      history = withRun(history, { job: "backup", state: "done", startedAt: at, finishedAt: at });
    }
    for (const message of dueJobs(source, history, world.time.now, ["drill"])) {
      const job = workName(message);
      const state = now >= BROKEN.from && now < BROKEN.to ? "failed" : "done";
      const startedAt = world.time.now.toISOString();
      world.time.now = new Date(world.time.now.getTime() + 600_000);
      const figures = { rtoSeconds: 600, rpoSeconds: 5, rtoPromisedSeconds: 3600 };
      await world.run(job, { seconds: 600, state, details: { figures } });
      history = withRun(history, { job, state, startedAt, finishedAt: world.time.now.toISOString() });
      ran.push(`${job} ${startedAt.slice(0, 10)} ${state}`);
    }
  }
  world.time.now = new Date(END);
}

async function recordByHand(time: string): Promise<void> {
  const date = time.slice(0, 10);
  if (!time.includes("T12:")) return;
  const exercise = async (kind: string, result = "passed") => {
    const file = { kind, title: kind, startedAt: time, endedAt: time, result, lessons: ["more tea"] };
    await recordExercise(world.context, parseExercise(JSON.stringify(file), world.time.now), "ana");
  };
  if (["2026-03-10", "2027-02-10", "2027-09-10"].includes(date)) await exercise("tabletop");
  if (["2026-02-01", "2026-05-01", "2027-01-20", "2027-05-01"].includes(date)) await exercise("database-failover");
  if (date === "2026-11-02") await exercise("full-dr", "failed");
  if (date === "2027-11-02") await exercise("full-dr");
  if (date === "2026-09-20") {
    const change = { activity: "database-failover", due: "2026-10-01T00:00:00.000Z", by: "ana", reason: "freeze" };
    await recordCalendarChange(world.context, { ...change, until: "2026-12-01T00:00:00.000Z" });
  }
  if (date === "2026-12-10") {
    const change = { activity: "tabletop", due: "2027-01-01T00:00:00.000Z", by: "ana", reason: "holidays" };
    await recordCalendarChange(world.context, { ...change, to: "2027-02-15T00:00:00.000Z" });
  }
}

function row(activity: string) {
  const found = basis.activities.find(({ id }) => id === activity);
  if (!found) throw new Error(`there is no ${activity}`);
  return calendarRow(found, basis.receipts, basis.since, basis.now);
}

function reportFor(from: Date, to: Date) {
  const about = { tool: world.context.tool, policyHash: world.context.policyHash, environment: "test" };
  return reportOf(basis, { from, to }, { ...about, chain: { ok: true, receipts: [] } });
}

beforeAll(async () => {
  world = evidenceWorld({ restoreTests: TESTS });
  await runClock();
  basis = await readBasis(world.context);
}, 120_000);

describe("a clock that runs for two years", () => {
  it("runs every due restore test once, after an outage too, and again until it passes", () => {
    const passed = ran.filter((line) => line.endsWith("done"));
    const months = passed.filter((line) => line.startsWith("drill-pitr")).map((line) => line.slice(11, 18));
    // August fell into the outage whole: when the machine is back, the newest occurrence is what is due.
    const expected = monthsOf(new Date(START), new Date(END)).map(({ from }) => from.toISOString().slice(0, 7));
    expect(months.toSorted()).toEqual(expected.filter((month) => month !== "2026-08"));
    expect(passed.filter((line) => line.startsWith("drill-from-zero"))).toHaveLength(8);
    const failed = ran.filter((line) => line.endsWith("failed"));
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.every((line) => line.includes("2027-03-0"))).toBe(true);
  });

  it("says of every slot what became of it", () => {
    const slots = slotsDue(basis, new Date(START), new Date(END + 1));
    const states = (activity: string) =>
      slots.filter((slot) => slot.activity === activity).map(({ due, state }) => `${due.slice(0, 7)} ${state}`);
    const pitr = states("drill-pitr");
    expect(pitr).toHaveLength(24);
    expect(pitr.filter((line) => !line.endsWith("on-time"))).toEqual(["2026-08 missed", "2026-09 late"]);
    expect(states("database-failover")).toEqual([
      "2026-04 on-time",
      "2026-07 on-time",
      "2026-10 waived",
      "2027-01 missed",
      "2027-04 on-time",
      "2027-07 on-time",
      "2027-10 missed",
      "2028-01 missed",
    ]);
    expect(states("tabletop")).toEqual(["2026-07 on-time", "2027-02 on-time", "2027-07 missed", "2028-01 on-time"]);
    expect(states("full-dr")).toEqual(["2027-01 failed", "2028-01 on-time"]);
  });

  it("shows what is overdue and what was waived, with who, why and until when", () => {
    const failover = row("database-failover");
    expect(failover.overdue.map(({ due }) => due.slice(0, 10))).toEqual(["2027-10-01", "2028-01-01"]);
    expect(failover.waived).toMatchObject([
      { waived: { by: "ana", reason: "freeze", until: "2026-12-01T00:00:00.000Z" } },
    ]);
    expect(row("full-dr")).toMatchObject({ overdue: [], lastPass: { at: "2027-11-02T12:00:00.000Z" } });
    const moved = slotsDue(basis, new Date(START), new Date(END)).filter((slot) => slot.moved);
    expect(moved).toMatchObject([{ activity: "tabletop", moved: { reason: "holidays", by: "ana" }, state: "on-time" }]);
  });

  it("has reports that add up: each slot, run and receipt is in exactly one month", () => {
    const whole = reportFor(new Date(START), new Date(END));
    const months = monthsOf(new Date(START), new Date(END)).map(({ from, to }) => reportFor(from, to));
    const sum = (count: (report: typeof whole) => number) => months.reduce((total, report) => total + count(report), 0);
    expect(months).toHaveLength(24);
    expect(sum(({ tests }) => tests.length)).toBe(whole.tests.length);
    expect(sum(({ receipts }) => receipts.length)).toBe(whole.receipts.length);
    expect(sum(({ restores }) => restores.length)).toBe(whole.restores.length);
    expect(whole.receipts).toHaveLength(basis.receipts.length);
    for (const state of ["due", "onTime", "late", "failed", "missed", "waived"] as const) {
      expect(
        sum(({ kpis }) => kpis.tests[state]),
        state,
      ).toBe(whole.kpis.tests[state]);
    }
    const { due, onTime, late, failed, missed, waived } = whole.kpis.tests;
    expect(onTime + late + failed + missed + waived).toBe(due);
    expect(whole.population.filter(({ job }) => job === "drill-pitr")).toMatchObject([{ scheduled: 24 }]);
  });
});
