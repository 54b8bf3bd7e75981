import { describe, expect, it } from "vitest";
import { choosePoint, formatRestorePoint, parseRestorePoint, type RestorePoint } from "../../../lib/restore/choose.ts";

const b1 = { vault: "primary", id: "b1", consistentAt: "2026-11-20T03:00:00.000001Z" };
const b2 = { vault: "primary", id: "b2", consistentAt: "2026-11-21T03:00:00.5Z" };
const b2Offsite = { ...b2, vault: "offsite" };
const b3 = { vault: "offsite", id: "b3", consistentAt: "2026-11-21T03:00:00.500001Z" };

const alone = (full: typeof b1) => ({ from: full.consistentAt, until: full.consistentAt, fulls: [full] });
const fullsOnly = [alone(b1), alone(b2), alone(b2Offsite), alone(b3)];
const withLog = [{ from: b1.consistentAt, until: "2026-11-21T05:00:00Z", fulls: [b1, b2] }];

function choose(point: RestorePoint, windows = fullsOnly, placeOf: () => "full" | "log" | "none" = () => "none") {
  return choosePoint("shop", windows, point, placeOf).full;
}

describe("choosePoint", () => {
  it("takes the newest to the microsecond, whichever vault has it", () => {
    expect(choose({ kind: "latest" })).toBe(b3);
  });

  it("prefers the first vault where several have the same backup", () => {
    expect(choose({ kind: "latest" }, fullsOnly.slice(0, 3))).toBe(b2);
    expect(choose({ kind: "backup", id: "b2" })).toBe(b2);
  });

  it("finds an instant however it is written", () => {
    for (const text of ["2026-11-21T03:00:00.5Z", "2026-11-21 03:00:00.500", "2026-11-21T00:00:00.500000-03:00"]) {
      expect(choose(parseRestorePoint(text))).toBe(b2);
    }
  });

  it("starts at the newest full backup at or before the instant", () => {
    expect(choose(parseRestorePoint("2026-11-21T03:00:00.499999Z"), withLog)).toBe(b1);
    expect(choose(parseRestorePoint("2026-11-21T03:00:00.500000Z"), withLog)).toBe(b2);
    expect(choose(parseRestorePoint("2026-11-21T05:00:00Z"), withLog)).toBe(b2);
    expect(choose({ kind: "latest" }, withLog)).toBe(b2);
  });

  it("starts before a transaction that the newest full backup holds", () => {
    const placeOf = (_id: string, { id }: { id: string }) => (id === "b2" ? ("full" as const) : ("log" as const));
    expect(choosePoint("shop", withLog, parseRestorePoint("before:x:1"), placeOf).full).toBe(b1);
  });

  it("refuses a transaction that no log holds", () => {
    for (const place of ["full", "none"] as const) {
      expect(() => choose(parseRestorePoint("after:x:1"), withLog, () => place)).toThrow(
        expect.objectContaining({ code: "TIME_OUTSIDE_WINDOW" }),
      );
    }
  });

  it.each([
    ["2026-11-20T12:00:00Z", fullsOnly, "2026-11-20T03:00:00.000001Z and 2026-11-21T03:00:00.500000Z"],
    ["2026-11-21T05:00:00.000001Z", withLog, "2026-11-21T05:00:00.000000Z"],
  ])("names the nearest instants for %s, outside every window", (text, windows, nearest) => {
    expect(() => choose(parseRestorePoint(text), windows)).toThrow(
      expect.objectContaining({ code: "TIME_OUTSIDE_WINDOW", hint: expect.stringContaining(nearest) }),
    );
  });

  it("refuses when there is nothing to choose from", () => {
    expect(() => choose({ kind: "latest" }, [])).toThrow(expect.objectContaining({ code: "NO_BACKUP" }));
  });
});

describe("parseRestorePoint", () => {
  it.each(["latest", "2026-11-21T03:00:00.123456Z", "before:3e11fa47-71ca-11e1-9e33-c80aa9429562:23", "after:x"])(
    "reads %s, and formatRestorePoint gives it back",
    (text) => {
      expect(formatRestorePoint(parseRestorePoint(text))).toBe(text);
    },
  );

  it.each(["yesterday", "2026-13-01T00:00:00Z", "2026-11-21", "2026-11-21T03:00:00.1234567Z", "before:", ""])(
    "refuses %j",
    (text) => {
      expect(() => parseRestorePoint(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
    },
  );
});
