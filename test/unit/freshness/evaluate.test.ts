import { describe, expect, it } from "vitest";
import { evaluateVault, type VaultView } from "../../../lib/freshness/evaluate.ts";
import { isWithinRpo, worstState } from "../../../lib/freshness/states.ts";
import { testSource } from "../../support/policies.ts";

const NOW = new Date("2026-11-21T03:20:00Z");
const source = testSource({ rpo: "1h" });

function backupAt(consistentAt: string, damaged: string[] = []): VaultView {
  return {
    vault: "primary",
    newest: {
      id: "20261121T030000000Z-00000001",
      consistentAt,
      startedAt: consistentAt,
      restorableUntil: consistentAt,
    },
    damaged: damaged.map((id) => ({ id, error: { code: "BLOB_MISSING", message: "rows/000001 is not there" } })),
  };
}

describe("evaluateVault", () => {
  it("calls a source fresh whose newest backup is younger than the RPO", () => {
    const found = evaluateVault(backupAt("2026-11-21T03:00:00.500000Z"), source, NOW);
    expect(found).toMatchObject({ state: "fresh", reason: { code: "WITHIN_RPO" }, lagSeconds: 1200, rpoSeconds: 3600 });
    expect(found.restorableUntil).toBe("2026-11-21T03:00:00.500000Z");
  });

  it("calls a source breached one millisecond after its RPO", () => {
    const atLimit = evaluateVault(
      backupAt("2026-11-21T02:20:00.000Z"),
      testSource({ rpo: "1h", schedule: { full: "0 0 2 * * *" } }),
      NOW,
    );
    expect(atLimit.state).toBe("fresh");
    expect(evaluateVault(backupAt("2026-11-21T02:19:59.999Z"), source, NOW).reason.code).toBe("RPO_EXCEEDED");
  });

  it("counts from the end of the log, not from the backup before it", () => {
    const view = backupAt("2026-11-20T03:00:00Z");
    if ("error" in view || view.newest === undefined) throw new Error("no backup");
    const daily = testSource({ rpo: "1h", schedule: { full: "0 0 3 * * 6" } });
    const newest = {
      ...view.newest,
      startedAt: "2026-11-21T03:00:00Z",
      restorableUntil: "2026-11-21T03:19:50.000001Z",
    };
    const found = evaluateVault({ ...view, newest }, daily, NOW);
    expect(found).toMatchObject({ state: "fresh", lagSeconds: 10, restorableUntil: newest.restorableUntil });
    const unusableLog = { reason: "purged", message: "the server purged 3 transactions" };
    const late = evaluateVault({ ...view, newest, unusableLog }, daily, NOW);
    expect(late).toMatchObject({ state: "late", reason: { code: "LOG_GAP" } });
  });

  it("calls a source breached of which something was not proven for too long, and nothing that is young", () => {
    const strict = testSource({ rpo: "1h", verify: { provenWithin: "30d" } });
    const at = (provenSince: string) =>
      evaluateVault({ ...backupAt("2026-11-21T03:00:00Z"), provenSince }, strict, NOW);
    expect(at("2026-10-22T03:20:00.000Z")).toMatchObject({ state: "fresh", provenSince: "2026-10-22T03:20:00.000Z" });
    expect(at("2026-10-22T03:19:59.999Z")).toMatchObject({ state: "breached", reason: { code: "UNPROVEN" } });
    expect(at("2026-11-21T03:22:00.000Z")).toMatchObject({ state: "unknown", reason: { code: "CLOCK_AHEAD" } });
    const late = { ...backupAt("2026-11-21T03:00:00Z", ["x"]), provenSince: "2026-10-01T00:00:00.000Z" };
    expect(evaluateVault(late, strict, NOW).reason.code).toBe("UNPROVEN");
  });

  it("calls a source without any backup breached", () => {
    const view: VaultView = { vault: "primary", newest: undefined, damaged: [] };
    expect(evaluateVault(view, source, NOW)).toMatchObject({ state: "breached", reason: { code: "NO_BACKUP" } });
  });

  it("calls a vault that can't be read unknown, with the error's code", () => {
    const view: VaultView = { vault: "primary", error: { code: "STORAGE_UNAVAILABLE", message: "no answer" } };
    expect(evaluateVault(view, source, NOW)).toMatchObject({
      state: "unknown",
      restorableUntil: null,
      lagSeconds: null,
    });
  });

  it("calls a vault that holds only damaged backups unknown", () => {
    const view = { ...backupAt("2026-11-21T03:00:00Z", ["x"]), newest: undefined };
    expect(evaluateVault(view, source, NOW)).toMatchObject({ state: "unknown", reason: { code: "CATALOGUE_INVALID" } });
  });

  it("does not hide a damaged newest backup behind an older good one", () => {
    expect(evaluateVault(backupAt("2026-11-21T03:00:00Z", ["x"]), source, NOW)).toMatchObject({
      state: "late",
      reason: { code: "NEWEST_BACKUP_DAMAGED" },
    });
  });

  it("calls a source late whose scheduled full did not come within the grace", () => {
    const longRpo = testSource({ rpo: "2d" });
    expect(evaluateVault(backupAt("2026-11-20T03:00:05Z"), longRpo, new Date("2026-11-21T03:14:00Z")).state).toBe(
      "fresh",
    );
    expect(evaluateVault(backupAt("2026-11-20T03:00:05Z"), longRpo, NOW)).toMatchObject({
      state: "late",
      reason: { code: "FULL_OVERDUE" },
    });
  });

  it("calls a source late whose newest record was signed after its session key's day", () => {
    const view = backupAt("2026-11-21T03:00:00Z");
    if ("error" in view || view.newest === undefined) throw new Error("no backup");
    const newest = { ...view.newest, graceUntil: "2026-11-24T00:00:00.000Z" };
    expect(evaluateVault({ ...view, newest }, source, NOW)).toMatchObject({
      state: "late",
      reason: { code: "SIGNED_IN_GRACE", message: expect.stringContaining("2026-11-24T00:00:00.000Z") },
    });
  });

  it("calls a vault late that lacks what another one holds, and says what", () => {
    const behind = { backups: ["20261121T031000000Z-00000002"], segments: 12, since: "2026-11-21T03:10:00.000Z" };
    const found = evaluateVault({ ...backupAt("2026-11-21T03:00:00Z"), behind }, source, NOW);
    expect(found).toMatchObject({ state: "late", reason: { code: "VAULT_BEHIND" }, behind });
    expect(found.reason.message).toContain("20261121T031000000Z-00000002, and 12 log segments");
    const breached = evaluateVault({ ...backupAt("2026-11-21T01:00:00Z"), behind }, source, NOW);
    expect(breached).toMatchObject({ reason: { code: "RPO_EXCEEDED", message: expect.stringContaining("12 log") } });
    const none = evaluateVault({ vault: "primary", newest: undefined, damaged: [], behind }, source, NOW);
    expect(none).toMatchObject({ reason: { code: "NO_BACKUP", message: expect.stringContaining("it lacks") } });
  });

  it("trusts no backup from the future", () => {
    expect(evaluateVault(backupAt("2026-11-21T03:22:00Z"), source, NOW)).toMatchObject({
      state: "unknown",
      reason: { code: "CLOCK_AHEAD" },
    });
  });
});

describe("states", () => {
  it("gives a group the worst state of its members", () => {
    expect(worstState(["fresh", "late"])).toBe("late");
    expect(worstState(["fresh", "unknown", "late"])).toBe("unknown");
    expect(worstState(["unknown", "breached"])).toBe("breached");
  });

  it("counts an empty group as unknown", () => {
    expect(worstState([])).toBe("unknown");
  });

  it("answers yes for fresh and late only", () => {
    expect(["fresh", "late", "breached", "unknown"].map((state) => isWithinRpo(state as "fresh"))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
