import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { AppError } from "../../lib/core/errors.ts";
import { type CalendarRow, calendarRow } from "../../lib/evidence/calendar.ts";
import {
  type CalendarChange,
  parseExercise,
  recordCalendarChange,
  recordExercise,
} from "../../lib/evidence/exercise.ts";
import { readBasis } from "../../lib/evidence/report.ts";
import type { RunRecord } from "../../lib/vault/run-record.ts";
import { openCommandContext, print, type AddCommand, type CommonOptions } from "../command.ts";
import { formatTable } from "../table.ts";
import { parseInstant } from "../parse-instant.ts";

interface ChangeFlags extends CommonOptions {
  due?: string;
  to?: string;
  until?: string;
  reason?: string;
  by?: string;
  source?: string;
}

export const addCalendar: AddCommand = (program, state) => {
  program
    .command("calendar")
    .description("show which tests and exercises are due, overdue or waived; move or waive one, which is signed")
    .argument("[verb]", "move or waive; without it, show")
    .argument("[activity]", "of the calendar, tabletop for instance")
    .option("--due <time>", "due date of the slot that is moved or waived, as the calendar shows it")
    .option("--to <time>", "the new due date")
    .option("--until <time>", "until when it is waived")
    .option("--reason <text>", "why; it goes into the signed record")
    .option("--by <person>", "who decided; default: the user of this machine")
    .option("--source <source>", "for a restore test, of which source")
    .action(async (verb: string | undefined, activity: string | undefined, options: ChangeFlags) => {
      const context = await openCommandContext(options);
      if (verb !== undefined) {
        const records = await recordCalendarChange(context, parseChange(verb, activity, options));
        print(options, { receipts: records }, records.map(describeRecord));
        return;
      }
      const { activities, receipts, since, now } = await readBasis(context);
      const rows = activities.map((each) => calendarRow(each, receipts, since, now));
      print(options, { since: since.toISOString(), now: now.toISOString(), calendar: rows }, describeRows(rows));
      if (rows.some(({ overdue }) => overdue.length > 0)) state.exitCode = 1;
    });
};

export const addExercise: AddCommand = (program) => {
  program
    .command("exercise")
    .description("sign what people did: a tabletop exercise, a failover, a full recovery test, an incident")
    .argument("<verb>", "record")
    .argument("<file>", "JSON; docs/json.md shows its fields")
    .option("--by <person>", "who records it; default: the user of this machine")
    .action(async (verb: string, file: string, options: CommonOptions & { by?: string }) => {
      if (verb !== "record") throw new AppError("USAGE", `exercise: found "${verb}", expected record`);
      const context = await openCommandContext(options);
      const exercise = parseExercise(await readText(file), context.clock());
      const records = await recordExercise(context, exercise, options.by ?? userInfo().username);
      print(options, { receipts: records }, records.map(describeRecord));
    });
};

function parseChange(
  verb: string,
  activity: string | undefined,
  { due, to, until, reason, by = userInfo().username, source }: ChangeFlags,
): CalendarChange & ({ to: string } | { until: string }) {
  if (verb !== "move" && verb !== "waive") {
    throw new AppError("USAGE", `calendar: found "${verb}", expected move or waive`);
  }
  if (activity === undefined || due === undefined || reason === undefined) {
    throw new AppError("USAGE", `calendar ${verb}: expected an activity, --due and --reason`);
  }
  const change = { activity, source, due: parseInstant(due, "--due"), by, reason };
  const end = verb === "move" ? to : until;
  if (end === undefined)
    throw new AppError("USAGE", `calendar ${verb}: expected ${verb === "move" ? "--to" : "--until"}`);
  return verb === "move"
    ? { ...change, to: parseInstant(end, "--to") }
    : { ...change, until: parseInstant(end, "--until") };
}

/** Throws USAGE for a file that can't be read. */
export async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error: unknown) {
    throw new AppError("USAGE", `${file}: can't be read`, { cause: error });
  }
}

function describeRecord({ job, source, id }: RunRecord): string {
  return `${source}: ${job} is signed, receipt ${id}`;
}

function describeRows(rows: readonly CalendarRow[]): string[] {
  const header = ["activity", "source", "how often", "last run", "last pass", "next due", ""];
  return formatTable(
    header,
    rows.map((row) => [
      row.activity,
      row.source ?? "",
      row.unplanned ? `${row.cadence}, not in the policy` : row.cadence,
      row.lastRun?.at ?? "never",
      row.lastPass?.at ?? "never",
      row.nextDue ?? "unknown",
      [
        ...(row.overdue.length > 0 ? [`OVERDUE ${row.overdue.length}`] : []),
        ...(row.waived.length > 0 ? [`waived ${row.waived.length}`] : []),
      ].join(", "),
    ]),
  );
}
