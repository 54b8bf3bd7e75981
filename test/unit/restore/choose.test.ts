import { describe, expect, it } from "vitest";
import { chooseBackup, parseRestorePoint } from "../../../lib/restore/choose.ts";

const candidates = [
  { vault: "primary", id: "b1", consistentAt: "2026-11-20T03:00:00.000001Z" },
  { vault: "primary", id: "b2", consistentAt: "2026-11-21T03:00:00.5Z" },
  { vault: "offsite", id: "b2", consistentAt: "2026-11-21T03:00:00.5Z" },
  { vault: "offsite", id: "b3", consistentAt: "2026-11-21T03:00:00.500001Z" },
];

describe("chooseBackup", () => {
  it("takes the newest to the microsecond, whichever vault has it", () => {
    expect(chooseBackup("shop", candidates, { kind: "latest" })).toMatchObject({ id: "b3", vault: "offsite" });
  });

  it("prefers the first vault where several have the same backup", () => {
    expect(chooseBackup("shop", candidates.slice(0, 3), { kind: "latest" })).toMatchObject({
      id: "b2",
      vault: "primary",
    });
    expect(chooseBackup("shop", candidates, { kind: "backup", id: "b2" })).toMatchObject({ vault: "primary" });
  });

  it("finds an instant however it is written", () => {
    for (const text of ["2026-11-21T03:00:00.5Z", "2026-11-21 03:00:00.500", "2026-11-21T00:00:00.500000-03:00"]) {
      expect(chooseBackup("shop", candidates, parseRestorePoint(text))).toMatchObject({ id: "b2" });
    }
  });

  it("names the nearest instants for a time outside every window", () => {
    const attempt = () => chooseBackup("shop", candidates, parseRestorePoint("2026-11-20T12:00:00Z"));
    expect(attempt).toThrow(
      expect.objectContaining({
        code: "TIME_OUTSIDE_WINDOW",
        hint: expect.stringContaining("2026-11-20T03:00:00.000001Z and 2026-11-21T03:00:00.500000Z"),
      }),
    );
  });

  it("refuses when there is nothing to choose from", () => {
    expect(() => chooseBackup("shop", [], { kind: "latest" })).toThrow(expect.objectContaining({ code: "NO_BACKUP" }));
  });
});

describe("parseRestorePoint", () => {
  it.each(["yesterday", "2026-13-01T00:00:00Z", "2026-11-21", "2026-11-21T03:00:00.1234567Z", ""])(
    "refuses %j",
    (text) => {
      expect(() => parseRestorePoint(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
    },
  );
});
