import { z } from "zod";
import type { SourcePolicy } from "../core/policy-schema.ts";
import type { ProofsRecord } from "../vault/proofs-record.ts";
import type { Activity } from "./activities.ts";
import { judgeSlots, type JudgedSlot } from "./calendar.ts";
import { observedKeys, observedOf, secondsByState, secondsTogether } from "./observed-time.ts";
import type { CitedReceipt } from "./read-receipts.ts";
import { measuredRestores } from "./restores.ts";
import { distributionOf, type Distribution } from "./statistics.ts";

/** The figures of one month, or of a part of it. What is not known is null, never zero and never good. */
export interface Kpis {
  from: string;
  to: string;
  availability: Availability[];
  /** Of drills and exercises that passed. */
  restoreTime: Distribution & { receipts: string[] };
  incidents: { severity1: number; receipts: string[] };
  tests: TestsOnTime;
  rpo: RpoMinutes[];
  verification: Coverage[];
}

export interface Availability {
  source: string;
  /** Where it comes from: `probe` (this product asked each minute), or null: nothing measures it. */
  measuredBy: "probe" | null;
  targetPercent: number;
  /** Of the time that was observed. */
  percent: number | null;
  downSeconds: number | null;
  unobservedSeconds: number;
  /** Receipts of the stretches that were not up. */
  receipts: string[];
}

export interface TestsOnTime {
  /** Slots whose due date lies in the period; waived ones are in it. */
  due: number;
  onTime: number;
  late: number;
  failed: number;
  missed: number;
  waived: number;
  percentOnTime: number | null;
  receipts: string[];
}

export interface RpoMinutes {
  source: string;
  /** No vault could restore to within the RPO; null where nothing was observed at all. */
  breachMinutes: number | null;
  /** Some vault could not be asked, or its answer was no good, and none was within the RPO. */
  unknownMinutes: number | null;
  unobservedMinutes: number;
  vaults: { vault: string; breachMinutes: number; unknownMinutes: number; unobservedMinutes: number }[];
}

export interface Coverage {
  source: string;
  vault: string;
  /** Of the newest ledger of the period; null where there is none. */
  ledger: string | null;
  fulls: number | null;
  fullsProven: number | null;
  segmentsProven: number | null;
  failed: number | null;
  percentOfFulls: number | null;
}

/** The ledgers of proofs of a source, oldest first. */
export type Ledgers = ReadonlyMap<string, readonly ProofsRecord[]>;

export interface KpiInput {
  sources: readonly SourcePolicy[];
  activities: readonly Activity[];
  receipts: readonly CitedReceipt[];
  ledgers: Ledgers;
  /** From when on tests are asked for. */
  since: Date;
  now: Date;
}

const AVAILABILITY_TARGET_PERCENT = 99.9;
const BROKEN = ["breached", "unknown"];
const incidentSchema = z.object({ exercise: z.object({ severity: z.int() }) });

/** The figures of a period. Pure. */
export function kpisOf(input: KpiInput, from: Date, to: Date): Kpis {
  const { sources, receipts } = input;
  const within = receipts.filter(({ content }) => isWithin(content.startedAt, from, to));
  const passed = measuredRestores(within).filter((restore) => restore.passed);
  const severity1 = within.filter(
    ({ content }) =>
      content.job === "incident" && incidentSchema.safeParse(content.details).data?.exercise.severity === 1,
  );
  const incidents = new Set(severity1.map(({ content }) => content.id));
  return {
    from: from.toISOString(),
    to: to.toISOString(),
    availability: sources.map((source) => availabilityOf(source, receipts, from, to)),
    restoreTime: {
      ...distributionOf(passed.map(({ rtoSeconds }) => rtoSeconds)),
      receipts: passed.map(({ receipt }) => receipt),
    },
    incidents: { severity1: incidents.size, receipts: [...incidents] },
    tests: testsOf(slotsDue(input, from, to)),
    rpo: sources.map((source) => rpoOf(source, receipts, from, to)),
    verification: sources.flatMap((source) => coverageOf(source, input.ledgers, from, to)),
  };
}

/** Every slot of the calendar that is due within a period and is over by now, or was met before. */
export function slotsDue({ activities, receipts, since, now }: KpiInput, from: Date, to: Date): JudgedSlot[] {
  return activities.flatMap((activity) => {
    const slots = judgeSlots(activity, receipts, since, now);
    return slots.filter(({ due, state }) => isWithin(due, from, to) && state !== "open");
  });
}

function testsOf(slots: readonly JudgedSlot[]): TestsOnTime {
  const count = (wanted: JudgedSlot["state"]) => slots.filter(({ state }) => state === wanted).length;
  const onTime = count("on-time");
  const due = slots.length;
  return {
    due,
    onTime,
    late: count("late"),
    failed: count("failed"),
    missed: count("missed"),
    waived: count("waived"),
    percentOnTime: due === 0 ? null : (onTime / due) * 100,
    receipts: [...new Set(slots.flatMap(({ runs }) => runs))],
  };
}

function availabilityOf(
  { name, probe }: SourcePolicy,
  all: readonly CitedReceipt[],
  from: Date,
  to: Date,
): Availability {
  const receipts = all.filter(({ content }) => content.source === name);
  const stretches = observedOf(receipts, "service", from, to);
  const { seconds, unobservedSeconds } = secondsByState(stretches, from, to);
  const up = seconds["up"] ?? 0;
  const down = seconds["down"] ?? 0;
  const isObserved = up + down > 0;
  return {
    source: name,
    measuredBy: isObserved || probe ? "probe" : null,
    targetPercent: AVAILABILITY_TARGET_PERCENT,
    percent: isObserved ? (up / (up + down)) * 100 : null,
    downSeconds: isObserved ? down : null,
    unobservedSeconds,
    receipts: stretches.filter(({ state }) => state !== "up").map(({ receipt }) => receipt),
  };
}

function rpoOf({ name }: SourcePolicy, all: readonly CitedReceipt[], from: Date, to: Date): RpoMinutes {
  const receipts = all.filter(({ content }) => content.source === name);
  const keys = observedKeys(receipts).filter((key) => key.startsWith("vault:"));
  const each = keys.map((key) => ({ key, stretches: observedOf(receipts, key, from, to) }));
  const vaults = each.map(({ key, stretches }) => {
    const { seconds, unobservedSeconds } = secondsByState(stretches, from, to);
    return {
      vault: key.slice("vault:".length),
      breachMinutes: (seconds["breached"] ?? 0) / 60,
      unknownMinutes: (seconds["unknown"] ?? 0) / 60,
      unobservedMinutes: unobservedSeconds / 60,
    };
  });
  const stretches = each.map((one) => one.stretches);
  const breached = secondsTogether(stretches, ["breached"]) / 60;
  const isObserved = stretches.some((one) => one.length > 0);
  return {
    source: name,
    breachMinutes: isObserved ? breached : null,
    unknownMinutes: isObserved ? secondsTogether(stretches, BROKEN) / 60 - breached : null,
    unobservedMinutes: isObserved
      ? Math.min(...vaults.map(({ unobservedMinutes }) => unobservedMinutes))
      : (to.getTime() - from.getTime()) / 60_000,
    vaults,
  };
}

function coverageOf({ name, vaults }: SourcePolicy, ledgers: Ledgers, from: Date, to: Date): Coverage[] {
  const ledger = ledgers.get(name)?.findLast(({ finishedAt }) => isWithin(finishedAt, from, to));
  return vaults.map((vault) => {
    const state = ledger?.states.find((candidate) => candidate.vault === vault);
    if (!ledger || !state) {
      const nothing = { fulls: null, fullsProven: null, segmentsProven: null, failed: null, percentOfFulls: null };
      return { source: name, vault, ledger: null, ...nothing };
    }
    const fullsProven = state.fulls.filter(({ at }) => at !== null).length;
    return {
      source: name,
      vault,
      ledger: ledger.id,
      fulls: state.fulls.length,
      fullsProven,
      segmentsProven: (state.places["log"]?.ranges ?? []).reduce((sum, { count }) => sum + count, 0),
      failed: state.failed.length,
      percentOfFulls: state.fulls.length === 0 ? null : (fullsProven / state.fulls.length) * 100,
    };
  });
}

/** The months (UTC) that a period touches, cut to it. */
export function monthsOf(from: Date, to: Date): { from: Date; to: Date }[] {
  const months: { from: Date; to: Date }[] = [];
  for (let start = from; start < to;) {
    const next = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1));
    months.push({ from: start, to: next < to ? next : to });
    start = next;
  }
  return months;
}

export function isWithin(time: string, from: Date, to: Date): boolean {
  const at = Date.parse(time);
  return at >= from.getTime() && at < to.getTime();
}
