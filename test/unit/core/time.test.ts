import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration, systemClock } from "../../../lib/core/time.ts";

describe("parseDuration", () => {
  it.each([
    ["250ms", 250],
    ["90s", 90_000],
    ["15m", 900_000],
    ["1h", 3_600_000],
    ["7d", 604_800_000],
    ["1h30m", 5_400_000],
    ["1d2h3m4s5ms", 93_784_005],
    ["0s", 0],
  ])("reads %s", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(["", "15", "m", "15 m", "15min", "-1h", "1.5h", "1H", "1w", "PT1H", " 1h", "1h\n"])("refuses %j", (text) => {
    expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
  });
});

describe("formatDuration", () => {
  it.each([
    [0, "0 s"],
    [850, "850 ms"],
    [999.7, "1 s"],
    [9_000, "9 s"],
    [59_999, "1 min"],
    [61_000, "1 min 1 s"],
    [3_900_000, "1 h 5 min"],
    [3_605_000, "1 h"],
    [273_600_000, "3 d 4 h"],
    [86_400_000, "1 d"],
    [-5_000, "0 s"],
  ])("writes %d ms as %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe("systemClock", () => {
  it("tells the present instant", () => {
    const before = Date.now();
    const told = systemClock().getTime();
    expect(told).toBeGreaterThanOrEqual(before);
    expect(told).toBeLessThanOrEqual(Date.now());
  });
});
