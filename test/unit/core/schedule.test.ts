import { describe, expect, it } from "vitest";
import { parseSchedule } from "../../../lib/core/schedule.ts";

const at = (text: string): Date => new Date(`${text}Z`);
const NOW = at("2026-11-21T23:04:13.500");

describe("parseSchedule", () => {
  it.each([
    ["0 0 3 * * *", "2026-11-22T03:00:00", "2026-11-21T03:00:00"],
    ["0 */15 * * * *", "2026-11-21T23:15:00", "2026-11-21T23:00:00"],
    ["*/5 * * * * *", "2026-11-21T23:04:15", "2026-11-21T23:04:10"],
    ["5/15 * * * * *", "2026-11-21T23:04:20", "2026-11-21T23:04:05"],
    ["0 15/20 * * * *", "2026-11-21T23:15:00", "2026-11-21T22:55:00"],
    ["0 0 5 1 * *", "2026-12-01T05:00:00", "2026-11-01T05:00:00"],
    ["0 0 6 1 */3 *", "2027-01-01T06:00:00", "2026-10-01T06:00:00"],
    ["0 0 0 * * mon,wed", "2026-11-23T00:00:00", "2026-11-18T00:00:00"],
    ["0 0 0 * * Sun-Tue", "2026-11-22T00:00:00", "2026-11-17T00:00:00"],
    ["0 0 0 * jan-mar *", "2027-01-01T00:00:00", "2026-03-31T00:00:00"],
    ["0 0 9-17/4 * * 1-5", "2026-11-23T09:00:00", "2026-11-20T17:00:00"],
    ["0 0 0 29 2 *", "2028-02-29T00:00:00", "2024-02-29T00:00:00"],
  ])("%s is next due at %s and was last due at %s", (text, next, latest) => {
    expect(parseSchedule(text).next(NOW)).toEqual(at(next));
    expect(parseSchedule(text).latest(NOW)).toEqual(at(latest));
  });

  it("wants day and day of week to match both, as the Functions host does", () => {
    const fridayThe13th = parseSchedule("0 0 0 13 * 5");
    expect(fridayThe13th.next(NOW)).toEqual(at("2027-08-13T00:00:00"));
    expect(fridayThe13th.latest(NOW)).toEqual(at("2026-11-13T00:00:00"));
  });

  it("starts five fields at the minute", () => {
    expect(parseSchedule("30 3 * * *").next(NOW)).toEqual(at("2026-11-22T03:30:00"));
  });

  it("gives no occurrence of a day that never comes", () => {
    expect(parseSchedule("0 0 0 31 2 *").next(NOW)).toBeUndefined();
    expect(parseSchedule("0 0 0 31 2 *").latest(NOW)).toBeUndefined();
  });

  it("counts an occurrence at the very instant as the latest and not as the next", () => {
    const hourly = parseSchedule("0 0 * * * *");
    const noon = at("2026-11-21T12:00:00");
    expect(hourly.latest(noon)).toEqual(noon);
    expect(hourly.next(noon)).toEqual(at("2026-11-21T13:00:00"));
    expect(hourly.latest(at("2026-11-21T11:59:59.999"))).toEqual(at("2026-11-21T11:00:00"));
  });

  it("keeps to UTC where the machine's zone changes its clocks", () => {
    const daily = parseSchedule("0 30 2 * * *");
    expect(daily.next(at("2026-03-29T00:00:00"))).toEqual(at("2026-03-29T02:30:00"));
    expect(daily.next(at("2026-10-25T00:00:00"))).toEqual(at("2026-10-25T02:30:00"));
  });

  it.each([
    ["nothing", ""],
    ["four fields", "0 0 3 *"],
    ["seven fields", "0 0 3 * * * 2027"],
    ["a nickname", "@daily"],
    ["a word", "daily"],
    ["a second 60", "60 * * * * *"],
    ["an hour 24", "0 0 24 * * *"],
    ["a day 0", "0 0 0 0 * *"],
    ["a month 13", "0 0 0 1 13 *"],
    ["a day of week 7", "0 0 0 * * 7"],
    ["a range up to the day of week 7", "0 0 0 * * 5-7"],
    ["the last day of the month", "0 0 0 L * *"],
    ["the nearest weekday", "0 0 0 15W * *"],
    ["the second Monday", "0 0 0 * * 1#2"],
    ["a question mark", "0 0 0 ? * *"],
    ["a step of 0", "*/0 * * * * *"],
    ["a range that runs backwards", "0 0 22-2 * * *"],
    ["a month where a day of week stands", "0 0 0 * * jan"],
    ["a sign", "0 -5 * * * *"],
    ["a fraction", "0 0.5 * * * *"],
    ["an empty place in a list", "0 0,,5 * * * *"],
  ])("refuses %s", (_what, text) => {
    expect(() => parseSchedule(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
  });
});

describe("occurrences of random schedules", () => {
  it("are those that a look at each day finds", () => {
    const random = numbers(20_261_121);
    for (let round = 0; round < 300; round++) {
      const text = randomSchedule(random);
      const instant = new Date(
        Date.UTC(2024 + random(5), random(12), 1 + random(28), random(24), random(60), random(60), 500),
      );
      const schedule = parseSchedule(text);
      const context = `${text} at ${instant.toISOString()}`;
      expect(schedule.next(instant), context).toEqual(lookFor(text, instant, 1));
      expect(schedule.latest(instant), context).toEqual(lookFor(text, instant, -1));
    }
  });
});

const RANGES = [
  [0, 59],
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 6],
] as const;

/** A small generator, so that a failure can be run again. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomSchedule(random: (below: number) => number): string {
  return RANGES.map(([from, to], index) => {
    // Both day fields at once make most schedules so rare that the search takes long.
    const shape = index === 5 ? random(2) * 4 : random(5);
    const low = from + random(to - from + 1);
    const high = low + random(to - low + 1);
    return (
      ["*", String(low), `${low}-${high}`, `*/${1 + random(Math.min(12, to - from))}`, `${low},${high}`][shape] ?? "*"
    );
  }).join(" ");
}

/** The values of one field, by the plain meaning of the grammar. */
function valuesOf(field: string, [from, to]: readonly [number, number]): number[] {
  const all = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  return all.filter((value) =>
    field.split(",").some((part) => {
      const [range = "", step = "1"] = part.split("/");
      const [low, high = low] = range === "*" ? [from, to] : range.split("-").map(Number);
      return (
        low !== undefined && high !== undefined && value >= low && value <= high && (value - low) % Number(step) === 0
      );
    }),
  );
}

/** The nearest occurrence after (1) or before (-1) an instant, day by day for eight years. */
function lookFor(text: string, instant: Date, direction: 1 | -1): Date | undefined {
  const sets = text.split(" ").map((field, index) => valuesOf(field, RANGES[index] ?? [0, 0]));
  const [seconds = [], minutes = [], hours = [], days = [], months = [], weekdays = []] = sets;
  const day = new Date(Date.UTC(instant.getUTCFullYear(), instant.getUTCMonth(), instant.getUTCDate()));
  for (let looked = 0; looked < 8 * 366; looked++, day.setUTCDate(day.getUTCDate() + direction)) {
    const isDay = days.includes(day.getUTCDate()) && months.includes(day.getUTCMonth() + 1);
    if (!isDay || !weekdays.includes(day.getUTCDay())) continue;
    const times = hours.flatMap((h) =>
      minutes.flatMap((m) => seconds.map((s) => day.getTime() + ((h * 60 + m) * 60 + s) * 1000)),
    );
    const fitting = times.filter((time) => (direction === 1 ? time > instant.getTime() : time <= instant.getTime()));
    const nearest = direction === 1 ? fitting[0] : fitting.at(-1);
    if (nearest !== undefined) return new Date(nearest);
  }
  return undefined;
}
