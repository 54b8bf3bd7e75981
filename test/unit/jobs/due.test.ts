import { describe, expect, it } from "vitest";
import { dueJobs, type WorkHistory } from "../../../lib/jobs/due.ts";
import { testSource } from "../../support/policies.ts";

const source = testSource({
  schedule: { full: "0 0 3 * * *", verify: "0 30 * * * *" },
  restoreTests: [
    { kind: "pitr", schedule: "0 0 5 1 * *", target: { env: "SCRATCH" } },
    { kind: "from-zero", schedule: "0 0 6 1 */3 *", target: { env: "STAGING" } },
  ],
});
const KINDS = ["backup", "verify", "drill"] as const;
const at = (time: string) => new Date(`2026-11-${time}Z`);

function due(history: Record<string, WorkHistory>, now: Date): string[] {
  return dueJobs(source, new Map(Object.entries(history)), now, KINDS).map((message) => {
    return `${message.job === "drill" ? message.test : message.job} ${message.dueAt}`;
  });
}

describe("dueJobs", () => {
  it("wants a backup of a source at once that never had one, and nothing else", () => {
    expect(due({}, at("21T12:00:00"))).toEqual(["backup 2026-11-21T03:00:00.000Z"]);
  });

  it("wants nothing while the last occurrence is covered", () => {
    const done = { backup: { firstDoneAt: "2026-11-21T03:00:04Z", coveredUntil: "2026-11-21T03:00:04Z" } };
    expect(due(done, at("21T03:20:00"))).toEqual([]);
  });

  it("makes a missed occurrence overdue instead of losing it", () => {
    const done = { backup: { firstDoneAt: "2026-11-18T03:00:04Z", coveredUntil: "2026-11-18T03:00:04Z" } };
    expect(due({ ...done, verify: { coveredUntil: "2026-11-21T11:30:00Z" } }, at("21T12:00:00"))).toEqual([
      "backup 2026-11-21T03:00:00.000Z",
    ]);
  });

  it("wants retention once a day, and again an hour after it was refused", () => {
    const backup = { firstDoneAt: "2026-11-01T03:00:00Z", coveredUntil: "2026-11-21T03:00:00Z" };
    const wanted = (retention: WorkHistory, now: string) =>
      dueJobs(source, new Map(Object.entries({ backup, retention })), at(now), ["retention"]).map(({ dueAt }) => dueAt);
    expect(wanted({ coveredUntil: "2026-11-20T04:00:10Z" }, "21T04:30:00")).toEqual(["2026-11-21T04:00:00.000Z"]);
    const refused = { coveredUntil: "2026-11-20T04:00:10Z", failedAt: "2026-11-21T04:00:10Z" };
    expect(wanted(refused, "21T04:30:00")).toEqual([]);
    expect(wanted(refused, "21T05:00:10")).toHaveLength(1);
    expect(wanted({ coveredUntil: "2026-11-21T04:00:10Z" }, "21T23:00:00")).toEqual([]);
  });

  it("wants each restore test by its own schedule once a backup exists", () => {
    const backup = { firstDoneAt: "2026-09-01T03:00:00Z", coveredUntil: "2026-11-21T03:00:00Z" };
    const verify = { coveredUntil: "2026-11-21T11:30:00Z" };
    expect(due({ backup, verify }, at("21T12:00:00"))).toEqual([
      "pitr 2026-11-01T05:00:00.000Z",
      "from-zero 2026-10-01T06:00:00.000Z",
    ]);
    expect(due({ backup, verify, "drill-pitr": { coveredUntil: "2026-11-01T05:00:00Z" } }, at("21T12:00:00"))).toEqual([
      "from-zero 2026-10-01T06:00:00.000Z",
    ]);
  });

  it("waits after a failure before it asks anew, and then does ask", () => {
    const failed = { backup: { failedAt: "2026-11-21T03:01:00Z" } };
    expect(due(failed, at("21T03:10:59"))).toEqual([]);
    expect(due(failed, at("21T03:11:00"))).toEqual(["backup 2026-11-21T03:00:00.000Z"]);
  });

  it("merges the log once an hour where it is shipped, unless the policy says never", () => {
    const schedule = { full: "0 0 3 * * *", ship: "0 * * * * *" };
    const done = new Map([["backup", { firstDoneAt: "2026-11-20T03:00:04Z", coveredUntil: "2026-11-21T03:00:04Z" }]]);
    const merging = (more: Record<string, unknown>, now: Date) =>
      dueJobs(testSource({ schedule, ...more }), done, now, ["compact"]).map(({ dueAt }) => dueAt);
    expect(merging({}, at("21T12:39:59"))).toEqual(["2026-11-21T11:40:00.000Z"]);
    expect(merging({}, at("21T12:40:00"))).toEqual(["2026-11-21T12:40:00.000Z"]);
    expect(merging({ log: { compactAfter: "never" } }, at("21T12:40:00"))).toEqual([]);
    expect(merging({ schedule: { full: "0 0 3 * * *" } }, at("21T12:40:00"))).toEqual([]);
  });
});
