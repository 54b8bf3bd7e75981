import { describe, expect, it } from "vitest";
import type { Run, WorkOutcome } from "../../../lib/jobs/receipt.ts";
import { openTally } from "../../../lib/jobs/tally.ts";
import { openMemoryVault } from "../../../lib/vault/storage/memory.ts";
import { testSource } from "../../support/policies.ts";

const QUIET = { gaps: null, behind: null, reconnects: 0, transactions: 3, segments: 2, plainBytes: 10, storedBytes: 5 };

function run(time: string, more: Partial<Run> = {}): Run {
  const startedAt = new Date(`2026-11-21T${time}:00.000Z`);
  const dueAt = startedAt.toISOString();
  const message = { v: 1, job: "ship", source: "shop", requestedBy: "timer", dueAt } as const;
  return { message, name: "ship", runId: "id", source: testSource(), startedAt, attempt: 1, ...more };
}

function outcome(figures: object = {}, more: Partial<WorkOutcome> = {}): WorkOutcome {
  return { state: "done", result: { figures: { ...QUIET, seconds: 50, ...figures } }, ...more };
}

const at = (time: string) => new Date(`2026-11-21T${time}:50.000Z`);

/** The count after a receipt at three, of two runs. */
async function counted() {
  const { state } = openMemoryVault("primary");
  const open = () => openTally(state, "shop");
  await (await open()).restart(at("03:00"));
  for (const time of ["03:01", "03:02"]) await (await open()).add(outcome(), at(time));
  return { open, tally: await open(), state };
}

describe("the count of ship runs", () => {
  it("sums what they shipped, from the receipt before on", async () => {
    const { tally, open } = await counted();
    const sums = { transactions: 6, segments: 4, plainBytes: 20, storedBytes: 10, seconds: 100 };
    const from = at("03:00").toISOString();
    expect(tally.counted).toEqual({ from, until: at("03:02").toISOString(), runs: 2, ...sums });
    await tally.restart(at("04:00"));
    expect((await open()).counted).toMatchObject({ from: at("04:00").toISOString(), runs: 0, transactions: 0 });
  });

  it("takes a run of the same hour that has nothing to tell", async () => {
    const { tally } = await counted();
    expect(tally.takes(run("03:59"), outcome())).toBe(true);
  });

  it.each([
    ["the next hour has begun", run("04:00"), outcome()],
    ["it failed", run("03:03"), outcome({}, { state: "failed" })],
    ["it was interrupted", run("03:03"), outcome({}, { state: "interrupted" })],
    ["it found a gap", run("03:03"), outcome({ gaps: "PURGED: …" })],
    ["a vault is behind", run("03:03"), outcome({ behind: "offsite" })],
    ["the connection broke", run("03:03"), outcome({ reconnects: 1 })],
    ["its figures are not known", run("03:03"), outcome({ gaps: undefined })],
    ["it was delivered again", run("03:03", { attempt: 2 }), outcome()],
    [
      "an operator asked",
      run("03:03", { message: { v: 1, job: "ship", source: "shop", requestedBy: "operator" } }),
      outcome(),
    ],
  ])("leaves a receipt to a run when %s", async (_why, ended, how) => {
    expect((await counted()).tally.takes(ended, how)).toBe(false);
  });

  it("that was lost or damaged costs a receipt, and no run is counted wrongly", async () => {
    const { state } = openMemoryVault("primary");
    const none = await openTally(state, "shop");
    expect(none.takes(run("03:00"), outcome())).toBe(false);
    expect(none.counted).toBeUndefined();
    await state.put("tally/shop/ship", Buffer.from("{"), "absent");
    const damaged = await openTally(state, "shop");
    expect(damaged.takes(run("03:00"), outcome())).toBe(false);
    await damaged.restart(at("03:00"));
    expect((await openTally(state, "shop")).counted).toMatchObject({ runs: 0 });
  });
});
