import { describe, expect, it } from "vitest";
import { acquireLease, type LeaseOptions } from "../../../lib/jobs/lease.ts";
import { openMemoryVault } from "../../../lib/vault/storage/memory.ts";
import type { StateStore } from "../../../lib/vault/storage/storage.ts";
import { eventually } from "../../support/eventually.ts";

function options(state: StateStore, runId: string, change: Partial<LeaseOptions> = {}): LeaseOptions {
  return { state, key: "leases/shop/backup", runId, attempt: 1, clock: () => new Date(), ...change };
}

describe("acquireLease", () => {
  it("lets one worker in and tells the other whose run holds it", async () => {
    const { state } = openMemoryVault("primary");
    await using first = await acquireLease(options(state, "run-1"));
    await expect(acquireLease(options(state, "run-2"))).rejects.toMatchObject({
      code: "LEASE_HELD",
      message: expect.stringContaining("run-1"),
    });
    expect(first.signal.aborted).toBe(false);
  });

  it("lets exactly one of many in that come at the same moment", async () => {
    const { state } = openMemoryVault("primary");
    const attempts = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => acquireLease(options(state, `run-${n}`))),
    );
    const held = attempts.filter((attempt) => attempt.status === "fulfilled");
    expect(held).toHaveLength(1);
    for (const { value } of held) await value[Symbol.asyncDispose]();
  });

  it("is free again after it was given back", async () => {
    const { state } = openMemoryVault("primary");
    await (await acquireLease(options(state, "run-1")))[Symbol.asyncDispose]();
    await using second = await acquireLease(options(state, "run-2"));
    expect(second.interrupted).toBeUndefined();
  });

  it("hands an expired lease over with the run that died holding it", async () => {
    const { state } = openMemoryVault("primary");
    const died = await acquireLease(options(state, "run-1", { clock: () => new Date(Date.now() - 120_000) }));
    await using taken = await acquireLease(options(state, "run-2"));
    expect(taken.interrupted?.runId).toBe("run-1");
    await died[Symbol.asyncDispose]();
    expect((await state.get("leases/shop/backup"))?.value.toString()).toContain("run-2");
  });

  it("takes a damaged record over instead of obeying it", async () => {
    const { state } = openMemoryVault("primary");
    await state.put("leases/shop/backup", Buffer.from("not JSON"), "absent");
    await using lease = await acquireLease(options(state, "run-1"));
    expect(lease.interrupted).toBeUndefined();
  });

  it("renews itself for as long as it is held", async () => {
    const { state } = openMemoryVault("primary");
    await using lease = await acquireLease(options(state, "run-1", { durationMs: 80 }));
    const seen = new Set<string>();
    await eventually(
      async () => {
        seen.add((await state.get("leases/shop/backup"))?.etag ?? "none");
        return seen.size >= 4;
      },
      { deadlineMs: 5000, describe: "four versions of the lease" },
    );
    expect(lease.signal.aborted).toBe(false);
  });

  it("aborts with LEASE_LOST when somebody else has taken the record", async () => {
    const { state } = openMemoryVault("primary");
    const lease = await acquireLease(options(state, "run-1", { durationMs: 80 }));
    const { etag } = (await state.get("leases/shop/backup")) ?? { etag: "" };
    await state.put("leases/shop/backup", Buffer.from("{}"), { etag });
    await eventually(() => lease.signal.aborted, { deadlineMs: 5000, describe: "the lease to be lost" });
    expect(lease.signal.reason).toMatchObject({ code: "LEASE_LOST" });
    await lease[Symbol.asyncDispose]();
  });

  it("aborts when the storage hangs for most of the lease's time", async () => {
    const { state } = openMemoryVault("primary");
    const hanging: StateStore = {
      ...state,
      put: (key, value, condition) =>
        condition === "absent" ? state.put(key, value, condition) : new Promise(() => {}),
    };
    const lease = await acquireLease(options(hanging, "run-1", { durationMs: 80 }));
    await eventually(() => lease.signal.aborted, { deadlineMs: 5000, describe: "the lease to be lost" });
    expect(lease.signal.reason).toMatchObject({ code: "LEASE_LOST" });
    await lease[Symbol.asyncDispose]();
  });
});
