import { Cron } from "croner";
import { AppError } from "./errors.ts";

/** When something is due, in UTC, by the NCRONTAB grammar of Azure Functions timers. */
export interface Schedule {
  readonly text: string;
  /** The first occurrence strictly after `instant`. Undefined when there is none (30 February). */
  next(instant: Date): Date | undefined;
  /** The last occurrence at or before `instant`. Undefined when there was none. */
  latest(instant: Date): Date | undefined;
}

// croner knows more (L, W, #, ?, years, nicknames) and the Functions host refuses those: the grammar is checked first.
const FIELD = /^(?:\*|[a-z\d]+(?:-[a-z\d]+)?)(?:\/\d+)?(?:,(?:\*|[a-z\d]+(?:-[a-z\d]+)?)(?:\/\d+)?)*$/i;
const NAMES = /jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat/gi;
const OPTIONS = { timezone: "UTC", domAndDow: true, sloppyRanges: true, paused: true } as const;

/**
 * Parses an NCRONTAB expression: `{second} {minute} {hour} {day} {month} {day-of-week}`; five fields start at the minute.
 * Day and day-of-week must both match. Throws USAGE.
 * https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions
 */
export function parseSchedule(text: string): Schedule {
  const given = text.trim().split(/\s+/);
  const fields = given.length === 5 ? ["0", ...given] : given;
  // Sunday is 0 alone: the host refuses 7, which croner takes.
  const hasDay7 = /(?:^|[,-])0*7(?!\d)/.test(fields.at(-1) ?? "");
  const wellFormed =
    fields.length === 6 && !hasDay7 && fields.every((field) => FIELD.test(field) && isKnownName(field));
  if (!wellFormed) throw malformed(text);
  let cron: Cron;
  try {
    cron = new Cron(fields.join(" "), OPTIONS);
  } catch (error: unknown) {
    throw malformed(text, error);
  }
  return {
    text,
    next: (instant) => cron.nextRun(instant) ?? undefined,
    latest: (instant) => cron.previousRuns(1, new Date(Math.floor(instant.getTime() / 1000) * 1000 + 1000))[0],
  };
}

function isKnownName(field: string): boolean {
  return !/[a-z]/i.test(field.replace(NAMES, ""));
}

function malformed(text: string, cause?: unknown): AppError {
  return new AppError("USAGE", `not an NCRONTAB schedule: found "${text}", expected six fields such as "0 0 3 * * *"`, {
    hint: "Write second, minute, hour, day, month and day of week, in UTC, with only * , - / and numbers or names.",
    cause,
  });
}
