import type { Cadence } from "../core/calendar-policy.ts";
import type { Policy, SourcePolicy } from "../core/policy-schema.ts";
import { parseSchedule } from "../core/schedule.ts";
import { parseDuration } from "../core/time.ts";

/** One time that something has to be done. */
export interface Slot {
  /** Runs from here on count for it. */
  opens: Date;
  /** Until then it is on time. */
  due: Date;
}

/** Something that has to be tested again and again. */
export interface Activity {
  /** `drill-pitr`, `drill-from-zero`, `database-failover`, `full-dr`, `tabletop`. */
  id: string;
  /** Null for what concerns the whole environment. */
  source: string | null;
  /** `monthly`, …, or the NCRONTAB schedule of a restore test. */
  cadence: string;
  /** Job names of the receipts that count. */
  jobs: string[];
  /** What the policy does not do although the contract wants it: it can only become overdue. */
  unplanned: boolean;
  /** Slots that open within [from, to); of a period of the calendar, also the one that is open at `from`. */
  slots: (from: Date, to: Date) => Slot[];
}

const MONTHS: Record<Exclude<Cadence, "never">, number> = { monthly: 1, quarterly: 3, "half-yearly": 6, yearly: 12 };
/** Of a restore test that the contract wants and the policy does not name. */
const WANTED = { pitr: "monthly", "from-zero": "quarterly" } as const;
/** More occurrences than this in one question are not counted one by one. */
export const MAX_SLOTS = 100_000;

/** Everything that contract §7.1 and ADR §5 want to be tested under this policy. */
export function activitiesOf({ sources, calendar }: Policy): Activity[] {
  const graceMs = parseDuration(calendar.grace);
  const manual = [
    { id: "database-failover", cadence: calendar.databaseFailover },
    { id: "full-dr", cadence: calendar.fullDr },
    { id: "tabletop", cadence: calendar.tabletop },
  ];
  return [
    ...sources.flatMap((source) => restoreActivities(source, graceMs)),
    ...manual.flatMap(({ id, cadence }) =>
      cadence === "never"
        ? []
        : [{ ...periodic(id, cadence), source: null, jobs: [`exercise-${id}`, `failover-${id}`] }],
    ),
  ];
}

function restoreActivities(source: SourcePolicy, graceMs: number): Activity[] {
  return (["pitr", "from-zero"] as const).map((kind): Activity => {
    const test = source.restoreTests.find((candidate) => candidate.kind === kind);
    const id = `drill-${kind}`;
    const common = { id, source: source.name, jobs: [id, `exercise-${id}`] };
    if (!test) return { ...periodic(id, WANTED[kind]), ...common, unplanned: true };
    return { ...common, cadence: test.schedule, unplanned: false, slots: scheduledSlots(test.schedule, graceMs) };
  });
}

/** The occurrences of a schedule, each due some time after it and before the next one. */
export function scheduledSlots(text: string, graceMs: number): Activity["slots"] {
  const schedule = parseSchedule(text);
  return (from, to) => {
    const slots: Slot[] = [];
    let opens = schedule.next(new Date(from.getTime() - 1));
    while (opens !== undefined && opens < to && slots.length < MAX_SLOTS) {
      const next = schedule.next(opens);
      const due = new Date(Math.min(opens.getTime() + graceMs, next?.getTime() ?? Infinity));
      slots.push({ opens, due });
      opens = next;
    }
    return slots;
  };
}

function periodic(
  id: string,
  cadence: Exclude<Cadence, "never">,
): Pick<Activity, "id" | "cadence" | "slots" | "unplanned"> {
  const months = MONTHS[cadence];
  return {
    id,
    cadence,
    unplanned: false,
    slots: (from, to) => {
      const slots: Slot[] = [];
      let month = Math.floor((from.getUTCFullYear() * 12 + from.getUTCMonth()) / months) * months;
      for (let opens = startOfMonth(month); opens < to; opens = startOfMonth(month)) {
        month += months;
        slots.push({ opens, due: startOfMonth(month) });
      }
      return slots;
    },
  };
}

/** Of the month with that number, counted from January of the year 0. */
function startOfMonth(month: number): Date {
  return new Date(Date.UTC(Math.floor(month / 12), month % 12, 1));
}
