import { z } from "zod";
import type { SourcePolicy } from "../core/policy-schema.ts";
import { type Activity, MAX_SLOTS, scheduledSlots } from "./activities.ts";
import { judgeSlots } from "./calendar.ts";
import { isWithin } from "./kpi.ts";
import type { CitedReceipt } from "./read-receipts.ts";

/** Everything of one kind that was to run in a period, and what became of it: an auditor samples from the whole. */
export interface Population {
  source: string;
  job: string;
  schedule: string;
  /** Occurrences of the schedule within the period; null where there are too many to be counted one by one. */
  scheduled: number | null;
  /** Receipts of the period, and runs without one that a receipt counts. */
  run: number;
  failed: number;
  interrupted: number;
  /** Occurrences whose run began more than the grace after them. */
  late: number | null;
  /** Occurrences that no run took, or none that passed. */
  missed: number | null;
}

/** How long after its occurrence a job may begin: the queue tries a failing one again for so long. */
const GRACE_MS = 15 * 60_000;
const countedSchema = z.object({ sinceLast: z.object({ runs: z.int().nonnegative() }) });

/** What was to run of a source in a period by its policy, and what its receipts say. Pure. */
export function populationOf(
  source: SourcePolicy,
  all: readonly CitedReceipt[],
  period: { from: Date; to: Date; since: Date },
): Population[] {
  const { full, ship, verify, retention } = source.schedule;
  const scheduled: [job: string, schedule: string | undefined][] = [
    ["backup", full],
    ["ship", ship],
    ["verify", verify],
    ["retention", retention],
    ...source.restoreTests.map(({ kind, schedule }): [string, string] => [`drill-${kind}`, schedule]),
  ];
  const receipts = all.filter(({ content }) => content.source === source.name);
  return scheduled.flatMap(([job, schedule]) =>
    schedule === undefined ? [] : [judgeJob(source.name, job, schedule, receipts, period)],
  );
}

function judgeJob(
  source: string,
  job: string,
  schedule: string,
  receipts: readonly CitedReceipt[],
  { from, to, since }: { from: Date; to: Date; since: Date },
): Population {
  const own = receipts.filter(({ content }) => content.job === job);
  const within = own.filter(({ content }) => isWithin(content.startedAt, from, to));
  const count = (state: string) => within.filter(({ content }) => content.state === state).length;
  const counted = within.reduce((sum, { content }) => sum + runsCounted(content.details), 0);
  const base = { source, job, schedule, run: within.length + counted };
  const outcome = { ...base, failed: count("failed"), interrupted: count("interrupted") };
  const begin = since > from ? since : from;
  const slots = scheduledSlots(schedule, GRACE_MS);
  const occurrences = slots(begin, to).filter(({ opens }) => opens >= begin);
  if (occurrences.length >= MAX_SLOTS) return { ...outcome, scheduled: null, late: null, missed: null };
  if (counted > 0) {
    // Runs that only a count tells can't be put to one occurrence each.
    return {
      ...outcome,
      scheduled: occurrences.length,
      late: null,
      missed: Math.max(0, occurrences.length - outcome.run),
    };
  }
  const activity: Activity = {
    id: job,
    source,
    cadence: schedule,
    jobs: [job],
    unplanned: false,
    slots: () => occurrences,
  };
  const judged = judgeSlots(activity, own, begin, to);
  const states = (...wanted: string[]) => judged.filter(({ state }) => wanted.includes(state)).length;
  return { ...outcome, scheduled: occurrences.length, late: states("late"), missed: states("missed", "failed") };
}

function runsCounted(details: unknown): number {
  return countedSchema.safeParse(details).data?.sinceLast.runs ?? 0;
}
