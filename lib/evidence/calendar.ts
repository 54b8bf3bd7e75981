import { z } from "zod";
import type { Activity, Slot } from "./activities.ts";
import type { CitedReceipt } from "./read-receipts.ts";

/*
 * The calendar is computed from receipts: what ran, what was moved, what was waived. Each slot takes the runs from its opening to
 * the next one's; what was waived or moved stays in the count.
 */

/** `open`: not due yet. `missed`: overdue, and nothing ran. `failed`: overdue, and what ran did not pass. */
export type SlotState = "on-time" | "late" | "failed" | "missed" | "waived" | "open";

export interface JudgedSlot {
  activity: string;
  source: string | null;
  opens: string;
  due: string;
  /** Where it was moved: the due date before, and the receipt of the move. */
  moved?: { from: string; by: string; reason: string; receipt: string };
  waived?: { by: string; reason: string; until: string; receipt: string };
  state: SlotState;
  /** Ids of the runs that counted for it, oldest first. */
  runs: string[];
  /** The one that passed. */
  passedBy: string | null;
}

export interface CalendarRow {
  activity: string;
  source: string | null;
  cadence: string;
  /** The contract wants it and the policy does not plan it. */
  unplanned: boolean;
  lastRun: Reference | null;
  lastPass: Reference | null;
  /** Due date of the next slot that nothing has passed yet; null where the schedule has none. */
  nextDue: string | null;
  /** Slots that are over, not passed and not waived, and that no later pass made up for. */
  overdue: JudgedSlot[];
  waived: JudgedSlot[];
}

/** A run by its receipt. */
export interface Reference {
  at: string;
  receipt: string;
  sha256: string;
}

const changeSchema = z.object({
  activity: z.string(),
  /** Of the slot, as the calendar showed it before. */
  due: z.iso.datetime(),
  by: z.string(),
  reason: z.string(),
  to: z.iso.datetime().optional(),
  until: z.iso.datetime().optional(),
});
const detailsSchema = z.object({ change: changeSchema });

interface Change extends z.output<typeof changeSchema> {
  source: string | null;
  receipt: string;
  kind: "move" | "waive";
}

/** Each slot of an activity that opens before `now`, from `since` on. Pure. */
export function judgeSlots(
  activity: Activity,
  receipts: readonly CitedReceipt[],
  since: Date,
  now: Date,
): JudgedSlot[] {
  const changes = changesOf(activity, receipts);
  const runs = runsOf(activity, receipts);
  const slots = activity.slots(since, now);
  const judged: JudgedSlot[] = [];
  let next = 0;
  for (const [index, slot] of slots.entries()) {
    const closes = Math.max(slots[index + 1]?.opens.getTime() ?? Infinity, movedTo(changes, slot)?.getTime() ?? 0);
    while (next < runs.length && startOf(runs[next]) < slot.opens.getTime()) next++;
    const taken: CitedReceipt[] = [];
    for (let run = runs[next]; run !== undefined && startOf(run) < closes; run = runs[next]) {
      const isForNext = isPassed(taken.at(-1)) && startOf(run) >= (slots[index + 1]?.opens.getTime() ?? Infinity);
      if (isForNext) break;
      taken.push(run);
      next++;
    }
    judged.push(judge(activity, slot, taken, changes, now));
  }
  return judged;
}

function judge(
  { id, source }: Activity,
  slot: Slot,
  taken: readonly CitedReceipt[],
  changes: readonly Change[],
  now: Date,
): JudgedSlot {
  const move = changeOf(changes, slot, "move");
  const waive = changeOf(changes, slot, "waive");
  const due = movedTo(changes, slot) ?? slot.due;
  const pass = taken.find(isPassed);
  return {
    activity: id,
    source,
    opens: slot.opens.toISOString(),
    due: due.toISOString(),
    ...(move && { moved: { from: slot.due.toISOString(), by: move.by, reason: move.reason, receipt: move.receipt } }),
    ...(waive?.until !== undefined && {
      waived: { by: waive.by, reason: waive.reason, until: waive.until, receipt: waive.receipt },
    }),
    state: stateOf(pass, taken, due, waive, now),
    runs: taken.map(({ content }) => content.id),
    passedBy: pass?.content.id ?? null,
  };
}

function stateOf(
  pass: CitedReceipt | undefined,
  taken: readonly CitedReceipt[],
  due: Date,
  waive: Change | undefined,
  now: Date,
): SlotState {
  if (pass && Date.parse(pass.content.startedAt) <= due.getTime()) return "on-time";
  const isWaived = waive?.until !== undefined && Date.parse(waive.until) > Math.min(now.getTime(), due.getTime());
  if (isWaived) return "waived";
  if (pass) return "late";
  if (now < due) return "open";
  return taken.length > 0 ? "failed" : "missed";
}

/** One line of the calendar. `since`: from when on anything is asked for. Pure. */
export function calendarRow(
  activity: Activity,
  receipts: readonly CitedReceipt[],
  since: Date,
  now: Date,
): CalendarRow {
  const runs = runsOf(activity, receipts).filter((run) => startOf(run) <= now.getTime());
  const slots = judgeSlots(activity, receipts, since, now);
  const lastPass = runs.findLast(isPassed);
  const open = slots.find(({ state }) => state === "open");
  const isMadeUp = ({ opens }: JudgedSlot) => lastPass !== undefined && startOf(lastPass) >= Date.parse(opens);
  const overdue = slots.filter((slot) => (slot.state === "missed" || slot.state === "failed") && !isMadeUp(slot));
  return {
    activity: activity.id,
    source: activity.source,
    cadence: activity.cadence,
    unplanned: activity.unplanned,
    lastRun: refer(runs.at(-1)),
    lastPass: refer(lastPass),
    nextDue: overdue[0]?.due ?? open?.due ?? nextDue(activity, now),
    overdue,
    waived: slots.filter(({ state }) => state === "waived"),
  };
}

const YEAR_MS = 366 * 86_400_000;

function nextDue(activity: Activity, now: Date): string | null {
  // A schedule that runs each minute has its next slot near; one look over a year would list half a million.
  for (const ahead of [3_600_000, 32 * 86_400_000, 2 * YEAR_MS]) {
    const slots = activity.slots(now, new Date(now.getTime() + ahead));
    const slot = slots.find(({ opens }) => opens > now);
    if (slot) return slot.due.toISOString();
  }
  return null;
}

/** The runs of an activity, oldest first by their start. */
function runsOf({ jobs, source }: Activity, receipts: readonly CitedReceipt[]): CitedReceipt[] {
  const wanted = receipts.filter(
    ({ content }) => jobs.includes(content.job) && (source === null || content.source === source),
  );
  // An exercise of the whole environment has one receipt with each source.
  const unique = new Map(wanted.map((receipt) => [receipt.content.id, receipt]));
  return [...unique.values()].toSorted((a, b) => startOf(a) - startOf(b));
}

function changesOf({ id, source }: Activity, receipts: readonly CitedReceipt[]): Change[] {
  return receipts.flatMap(({ content }): Change[] => {
    const kind = content.job === "calendar-move" ? "move" : content.job === "calendar-waive" ? "waive" : undefined;
    const details = detailsSchema.safeParse(content.details).data;
    if (!kind || details?.change.activity !== id || (source !== null && content.source !== source)) return [];
    return [{ ...details.change, source: content.source, receipt: content.id, kind }];
  });
}

/** The newest one counts. */
function changeOf(changes: readonly Change[], slot: Slot, kind: Change["kind"]): Change | undefined {
  const isOfSlot = ({ due }: Change) => Date.parse(due) > slot.opens.getTime() && Date.parse(due) <= slot.due.getTime();
  return changes.findLast((change) => change.kind === kind && isOfSlot(change));
}

function movedTo(changes: readonly Change[], slot: Slot): Date | undefined {
  const to = changeOf(changes, slot, "move")?.to;
  return to === undefined ? undefined : new Date(to);
}

function isPassed(run: CitedReceipt | undefined): boolean {
  return run?.content.state === "done";
}

function startOf(run: CitedReceipt | undefined): number {
  return run === undefined ? Infinity : Date.parse(run.content.startedAt);
}

function refer(run: CitedReceipt | undefined): Reference | null {
  return run ? { at: run.content.finishedAt, receipt: run.content.id, sha256: run.sha256 } : null;
}
