import { describe, expect, it } from "vitest";
import { coveredTime } from "../../../../lib/vault/retention/covered-time.ts";
import { monthlyCost } from "../../../../lib/vault/retention/estimate.ts";
import { keptForPeriods } from "../../../../lib/vault/retention/keep.ts";
import { planRetention } from "../../../../lib/vault/retention/plan.ts";
import { retentionRules } from "../../../../lib/vault/retention/rules.ts";
import type { FullFact, RetentionRules, RetentionView } from "../../../../lib/vault/retention/view.ts";
import { testSource } from "../../../support/policies.ts";

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 1, 3);

const at = (day: number) => START + day * DAY;

function full(day: number, more: Partial<FullFact> = {}): FullFact {
  const base = { id: `day${day}`, sha256: `hash${day}`, sizeBytes: 100, isProven: true };
  return { ...base, time: at(day), consistentAt: at(day), ...more };
}

function viewOf(fulls: FullFact[], more: Partial<RetentionView> = {}): RetentionView {
  const nothing = { damaged: [], chains: [], strays: [], orphans: [], records: [], damagedHolds: [], hasTiers: false };
  return { ...nothing, fulls, ...more };
}

const RULES: RetentionRules = {
  fullMs: 7 * DAY,
  logMs: 7 * DAY,
  keep: { daily: 0, weekly: 0, monthly: 0, yearly: 0 },
  minimumProven: 1,
  receiptsMs: 700 * DAY,
  orphansMs: 3 * DAY,
  maxGapMs: 2 * DAY,
};

const days = (count: number) => Array.from({ length: count }, (_, day) => full(day));
const removed = (view: RetentionView, now: number, rules: Partial<RetentionRules> = {}) =>
  planRetention(view, { ...RULES, ...rules }, { now, storage: now }).removals.map(({ id }) => id);

describe("covered time", () => {
  const times = [at(0), at(1), at(2), at(10), at(11)];

  it("passes as the clock's while backups come on time", () => {
    expect(coveredTime([at(0), at(1), at(2)], at(2.5), 2 * DAY)(2 * DAY)).toBe(at(0.5));
  });

  it("stands still in a gap, and since the newest backup when that is long ago", () => {
    expect(coveredTime(times, at(11.5), 2 * DAY)(2 * DAY)).toBe(at(1.5));
    expect(coveredTime(times, at(5000), 2 * DAY)(1 * DAY)).toBe(at(10));
  });

  it("takes times of the future for now", () => {
    expect(coveredTime([at(0), at(9000)], at(1), 2 * DAY)(0.5 * DAY)).toBe(at(0.5));
  });
});

describe("keeping for periods", () => {
  it("keeps the newest of each of the last days, weeks, months and years that have one", () => {
    const fulls = [full(0), full(1), full(31), full(32), full(32.2), full(400)];
    const kept = (keep: Partial<RetentionRules["keep"]>) => [
      ...keptForPeriods(fulls, { ...RULES.keep, ...keep }).keys(),
    ];
    expect(kept({ daily: 3 })).toEqual(["day400", "day32.2", "day31"]);
    expect(kept({ weekly: 2 })).toEqual(["day400", "day32.2"]);
    expect(kept({ monthly: 3 })).toEqual(["day400", "day32.2", "day1"]);
    expect(kept({ yearly: 2 })).toEqual(["day400", "day32.2"]);
    expect(kept({})).toEqual([]);
  });

  it("prefers a proven one of the same period", () => {
    const fulls = [full(0), full(0.2, { isProven: false })];
    expect([...keptForPeriods(fulls, { ...RULES.keep, daily: 1 }).keys()]).toEqual(["day0"]);
  });
});

describe("the retention plan", () => {
  it("removes what is older than promised, but for the backup before the window", () => {
    expect(removed(viewOf(days(12)), at(11.5))).toEqual(["day0", "day1", "day2", "day3"]);
  });

  it("never leaves fewer proven backups than the policy says", () => {
    const fulls = [...days(3), ...Array.from({ length: 9 }, (_, n) => full(n + 3, { isProven: n === 8 }))];
    expect(removed(viewOf(fulls), at(11.5), { minimumProven: 4 })).toEqual(["day3", "day4"]);
  });

  it("tells why each backup stays", () => {
    const plan = planRetention(viewOf(days(12)), { ...RULES, minimumProven: 2 }, { now: at(11.5), storage: at(11.5) });
    expect(plan.kept[0]).toEqual({ id: "day4", because: ["the newest proven backup before the promised window"] });
    expect(plan.kept.at(-1)?.because).toEqual(["younger than 7 d", "one of 2 proven ones"]);
    expect(plan.removals[0]?.why).toBe("older than 7 d: it was taken at 2026-01-01T03:00:00.000Z");
  });

  it("lists what the storage protects as not before", () => {
    const fulls = days(12).map((fact, day) => (day === 1 ? { ...fact, immutableUntil: at(20) } : fact));
    const held = fulls.map((fact, day) => (day === 2 ? { ...fact, legalHold: true } : fact));
    const plan = planRetention(viewOf(held), RULES, { now: at(11.5), storage: at(11.5) });
    expect(plan.removals.map(({ id }) => id)).toEqual(["day0", "day3"]);
    expect(plan.notBefore).toMatchObject([
      { id: "day1", until: "2026-01-21T03:00:00.000Z" },
      { id: "day2", until: undefined },
    ]);
    expect(removed(viewOf(fulls), at(20.5))).toContain("day1");
  });

  it.each([
    ["there is no backup that can be believed", viewOf([])],
    ["the newest backup, day11, is not proven", viewOf([...days(11), full(11, { isProven: false })])],
    ["the newest backup, bad, can't be believed", viewOf(days(12), { damaged: [{ id: "bad", writtenAt: at(11.2) }] })],
    ["the hold record shop/holds/1.json can't be believed", viewOf(days(12), { damagedHolds: ["shop/holds/1.json"] })],
  ])("refuses everything when %s", (reason, view) => {
    const orphans = [{ id: "orphan", sizeBytes: 1, newestAt: at(0) }];
    const plan = planRetention({ ...view, orphans }, RULES, { now: at(11.5), storage: at(11.5) });
    expect(plan).toMatchObject({ refused: reason, removals: [] });
  });

  it("refuses when the clocks of the machine and of the storage lie apart", () => {
    const plan = planRetention(viewOf(days(12)), RULES, { now: at(11.5) + 2 * 3_600_000, storage: at(11.5) });
    expect(plan.refused).toBe("the clocks of this machine and of the storage lie 2 h apart");
  });

  it("removes receipts that are older than two years, and not by the names of their files", () => {
    const run = { kind: "run" as const, sha256: "hash", sizeBytes: 1 };
    const records = [
      { ...run, id: "old", time: at(-800) },
      { ...run, id: "young", time: at(0) },
    ];
    expect(removed(viewOf(days(12), { records }), at(11.5))).toContain("old");
    expect(removed(viewOf(days(12), { records }), at(11.5))).not.toContain("young");
  });
});

describe("the rules of a policy", () => {
  it("let two fulls lie twice as far apart as the schedule does, weekends too", () => {
    const gapOf = (text: string) =>
      retentionRules(testSource({ schedule: { full: text } }), new Date(at(0))).maxGapMs / DAY;
    expect(gapOf("0 0 3 * * *")).toBe(2);
    expect(gapOf("0 0 3 * * 1-5")).toBe(6);
    expect(gapOf("0 0 3 1 * *")).toBe(62);
  });
});

describe("the estimate of what is saved", () => {
  const prices = { hot: 0.02, cool: 0.01, cold: 0.005, archive: 0.001 };
  const GIB = 1024 ** 3;
  const item = { kind: "full" as const, id: "day0", sizeBytes: 3 * GIB, why: "old" };

  it("prices data by its tier and the rest as hot", () => {
    const tiers = new Map([["cool", 2 * GIB]] as const);
    const view = viewOf([full(0, { tiers })], { hasTiers: true });
    expect(monthlyCost(view, [item], prices)).toBeCloseTo(0.04);
  });

  it("is not made where the storage has no tiers", () => {
    expect(monthlyCost(viewOf([full(0)]), [item], prices)).toBeUndefined();
  });
});
