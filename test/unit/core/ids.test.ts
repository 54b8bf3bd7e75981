import { describe, expect, it } from "vitest";
import { idTime, isId, newId } from "../../../lib/core/ids.ts";

describe("newId", () => {
  it("begins with the UTC time to the millisecond", () => {
    expect(newId(new Date("2026-11-21T23:04:13.123Z"))).toMatch(/^20261121T230413123Z-[0-9a-f]{8}$/);
  });

  it("differs for the same instant", () => {
    const now = new Date();
    expect(new Set(Array.from({ length: 200 }, () => newId(now))).size).toBe(200);
  });

  it("sorts as text in the order of time", () => {
    const times = Array.from({ length: 200 }, (_, index) => new Date(index * 9_876_543_211));
    const ids = times.map((time) => newId(time));
    expect(ids.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(ids);
  });
});

describe("idTime", () => {
  it("gives back the instant of any identifier", () => {
    for (let ms = 0; ms < 4e12; ms += 7_654_321_987) {
      expect(idTime(newId(new Date(ms))).getTime()).toBe(ms);
    }
  });

  it.each([
    "",
    "20261121T230413123Z",
    "20261121T230413123Z-9F3A5C1E",
    "20261121T230413123Z-9f3a5c1",
    "20261121T230413Z-9f3a5c1e",
    "x20261121T230413123Z-9f3a5c1e",
    "20261121T230413123Z-9f3a5c1e/..",
    "20261321T230413123Z-9f3a5c1e",
    "20260231T230413123Z-9f3a5c1e",
    "20261121T250413123Z-9f3a5c1e",
  ])("refuses %j", (text) => {
    expect(isId(text)).toBe(false);
    expect(() => idTime(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
  });
});
