import { describe, expect, it } from "vitest";
import { withRun } from "../../../lib/jobs/history.ts";

const run = (state: "done" | "failed" | "interrupted", minute: number) => ({
  job: "backup",
  state,
  startedAt: `2026-11-21T03:0${minute}:00.000Z`,
  finishedAt: `2026-11-21T03:0${minute}:30.000Z`,
});

describe("withRun", () => {
  it("keeps the first success and covers the schedule up to the start of the latest", () => {
    const history = withRun(withRun(new Map(), run("done", 1)), run("done", 5));
    expect(history.get("backup")).toEqual({
      firstDoneAt: "2026-11-21T03:01:00.000Z",
      coveredUntil: "2026-11-21T03:05:00.000Z",
    });
  });

  it("does not move backwards when records come in another order", () => {
    const history = withRun(withRun(new Map(), run("done", 5)), run("done", 1));
    expect(history.get("backup")?.coveredUntil).toBe("2026-11-21T03:05:00.000Z");
  });

  it("remembers a failure until a success comes after it", () => {
    const failed = withRun(withRun(new Map(), run("done", 1)), run("interrupted", 2));
    expect(failed.get("backup")).toMatchObject({ failedAt: "2026-11-21T03:02:30.000Z" });
    expect(withRun(failed, run("done", 3)).get("backup")?.failedAt).toBeUndefined();
  });
});
