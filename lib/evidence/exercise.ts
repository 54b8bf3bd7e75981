import { z } from "zod";
import { AppError } from "../core/errors.ts";
import { newId } from "../core/ids.ts";
import { findSource } from "../core/policy.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { type RunRecord, writeRunRecord } from "../vault/run-record.ts";

const text = z.string().min(1).max(4000);
const instant = z.iso.datetime();

/** What a file tells of a manual exercise, or of an incident. Times are ISO 8601 in UTC. */
const exerciseSchema = z.strictObject({
  kind: z.enum(["tabletop", "database-failover", "full-dr", "drill-pitr", "drill-from-zero", "incident"]),
  /** Names of sources that it concerned; absent is all of them. */
  sources: z.array(z.string()).min(1).optional(),
  title: text,
  startedAt: instant,
  endedAt: instant,
  result: z.enum(["passed", "failed"]),
  /** Of an incident: 1 is the worst. */
  severity: z.int().min(1).max(5).optional(),
  detectedAt: instant.optional(),
  declaredAt: instant.optional(),
  /** From the start of the impact to the service's return, and how much was lost, as they were observed. */
  rtoSeconds: z.number().nonnegative().optional(),
  rpoSeconds: z.number().nonnegative().optional(),
  scenario: text.optional(),
  aims: z.array(text).optional(),
  participants: z.array(z.strictObject({ name: text, role: text.optional() })).optional(),
  /** Key people who were declared absent, as SOC 2 A1.3 asks. */
  absent: z.array(text).optional(),
  lessons: z.array(text).optional(),
  actions: z
    .array(z.strictObject({ what: text, owner: text, due: z.iso.date(), closedAt: instant.optional() }))
    .optional(),
  /** Files that lie elsewhere, by their SHA-256. */
  evidence: z.array(z.strictObject({ name: text, sha256: z.string().regex(/^[0-9a-f]{64}$/) })).optional(),
});

export type Exercise = z.output<typeof exerciseSchema>;

/** Checks the text of an exercise's file. Throws EXERCISE_INVALID that names the fields. */
export function parseExercise(json: string, now: Date): Exercise {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    throw invalid("it is not JSON");
  }
  const result = exerciseSchema.safeParse(parsed);
  if (!result.success) {
    const fields = result.error.issues.map(
      ({ path, message }) => `${path.map(String).join(".") || "the file"}: ${message}`,
    );
    throw invalid(fields.join("; "));
  }
  const { kind, startedAt, endedAt, severity } = result.data;
  if (Date.parse(endedAt) < Date.parse(startedAt)) throw invalid("endedAt: lies before startedAt");
  if (Date.parse(endedAt) > now.getTime()) throw invalid("endedAt: lies in the future");
  if ((kind === "incident") !== (severity !== undefined)) throw invalid("severity: an incident has one, nothing else");
  return result.data;
}

/** Signs an exercise as a receipt of each source that it concerned, under one id. Throws when no vault took it. */
export async function recordExercise(context: Context, exercise: Exercise, by: string): Promise<RunRecord[]> {
  const { kind, startedAt, endedAt, result, rtoSeconds, rpoSeconds } = exercise;
  return recordByHand(context, exercise.sources, {
    job: kind === "incident" ? kind : `exercise-${kind}`,
    state: result === "passed" ? "done" : "failed",
    startedAt,
    finishedAt: endedAt,
    details: {
      requestedBy: by,
      dueAt: null,
      attempt: 1,
      exercise,
      figures: { ...(rtoSeconds !== undefined && { rtoSeconds }), ...(rpoSeconds !== undefined && { rpoSeconds }) },
      checks: [],
    },
  });
}

export interface CalendarChange {
  /** Of the calendar: `tabletop`, `drill-pitr`, … */
  activity: string;
  source?: string | undefined;
  /** The slot's due date, as the calendar shows it. */
  due: string;
  by: string;
  reason: string;
}

/** Signs that a due date moves, or that a test is waived until then. Neither takes it out of the count. */
export async function recordCalendarChange(
  context: Context,
  change: CalendarChange & ({ to: string } | { until: string }),
): Promise<RunRecord[]> {
  const { source, ...kept } = change;
  const now = context.clock().toISOString();
  return recordByHand(context, source === undefined ? undefined : [source], {
    job: "to" in change ? "calendar-move" : "calendar-waive",
    state: "done",
    startedAt: now,
    finishedAt: now,
    details: { requestedBy: change.by, dueAt: null, attempt: 1, change: kept, figures: {}, checks: [] },
  });
}

type ByHand = Pick<RunRecord, "job" | "state" | "startedAt" | "finishedAt" | "details">;

/** The id has the time of the recording, so that nothing can be put among older receipts. */
async function recordByHand(
  context: Context,
  sources: readonly string[] | undefined,
  record: ByHand,
): Promise<RunRecord[]> {
  const { policy, policyHash, tool, clock } = context;
  const concerned = sources?.map((name) => findSource(policy, name)) ?? policy.sources;
  const signer = await context.signer();
  const id = newId(clock());
  const written: RunRecord[] = [];
  for (const source of concerned) {
    const common = { id, source: source.name, environment: policy.environment, tool, policyHash };
    const vaults = vaultsOf(context, source);
    written.push((await writeRunRecord({ ...common, ...record }, { vaults, signer, clock })).record);
  }
  return written;
}

function invalid(problem: string): AppError {
  return new AppError("EXERCISE_INVALID", `the exercise can't be recorded: ${problem}`, {
    hint: "docs/json.md shows the file; nothing was signed.",
  });
}
