import { describe, expect, test } from "vitest";
import { parseSchedule } from "../../../../lib/core/schedule.ts";
import { resumeStatus, toStoredStatus } from "../../../../local/host/timer-status.ts";

const HOURLY = parseSchedule("0 0 * * * *");
const at = (time: string) => new Date(`2026-03-01T${time}Z`);

describe("a timer that starts", () => {
  test("for the first time waits for its next slot", () => {
    expect(resumeStatus(undefined, HOURLY, at("10:30:00"))).toEqual({
      status: { last: undefined, next: at("11:00:00"), lastUpdated: at("10:30:00") },
      isPastDue: false,
    });
  });

  test("before its recorded slot goes on with it", () => {
    const stored = { last: at("10:00:00"), next: at("11:00:00"), lastUpdated: at("10:00:00") };
    expect(resumeStatus(stored, HOURLY, at("10:59:59"))).toEqual({ status: stored, isPastDue: false });
  });

  test("after its recorded slot is past due", () => {
    const stored = { last: at("10:00:00"), next: at("11:00:00"), lastUpdated: at("10:00:00") };
    expect(resumeStatus(stored, HOURLY, at("14:30:00"))).toEqual({ status: stored, isPastDue: true });
  });

  test("after the first slot that it ever had, without having run, is past due", () => {
    const stored = { last: undefined, next: at("11:00:00"), lastUpdated: at("10:30:00") };
    expect(resumeStatus(stored, HOURLY, at("11:00:01")).isPastDue).toBe(true);
  });

  test("with another schedule than the recorded one starts afresh", () => {
    const stored = { last: at("10:00:00"), next: at("10:15:00"), lastUpdated: at("10:00:00") };
    expect(resumeStatus(stored, HOURLY, at("14:30:00"))).toEqual({
      status: { last: undefined, next: at("15:00:00"), lastUpdated: at("14:30:00") },
      isPastDue: false,
    });
  });
});

test("a status that never ran is stored with the first instant of .NET", () => {
  const status = { last: undefined, next: undefined, lastUpdated: at("10:00:00") };
  expect(toStoredStatus(status)).toEqual({
    Last: "0001-01-01T00:00:00",
    Next: "0001-01-01T00:00:00",
    LastUpdated: "2026-03-01T10:00:00.000Z",
  });
});
