import { describe, expect, it } from "vitest";
import { AppError } from "../../../lib/core/errors.ts";
import { retry } from "../../../lib/core/retry.ts";

const FAST = { deadlineMs: 5_000, minDelayMs: 1, maxDelayMs: 2 };
const throttled = () => new AppError("STORAGE_UNAVAILABLE", "throttled");

/** Fails `failures` times with what `make` gives, then succeeds. */
function flaky(failures: number, make: () => unknown = throttled) {
  const seen: number[] = [];
  const attempt = async (number: number): Promise<string> => {
    seen.push(number);
    if (seen.length <= failures) throw make();
    return "done";
  };
  return { attempt, seen };
}

describe("retry", () => {
  it("returns the first success and makes no further attempt", async () => {
    const { attempt, seen } = flaky(0);
    expect(await retry(attempt, FAST)).toBe("done");
    expect(seen).toEqual([1]);
  });

  it("tries again after failures that may pass, and numbers the attempts", async () => {
    const { attempt, seen } = flaky(3);
    expect(await retry(attempt, FAST)).toBe("done");
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  it("tells of each failure that it will retry", async () => {
    const told: [string, number][] = [];
    await retry(flaky(2).attempt, { ...FAST, onRetry: ({ code }, number) => void told.push([code, number]) });
    expect(told).toEqual([
      ["STORAGE_UNAVAILABLE", 1],
      ["STORAGE_UNAVAILABLE", 2],
    ]);
  });

  it.each([
    ["an error that stays", new AppError("STORAGE_REFUSED", "no such container")],
    ["an occurrence that is not worth it", new AppError("STORAGE_UNAVAILABLE", "x", { retryable: false })],
    ["a foreign error", new TypeError("x is undefined")],
  ])("does not retry %s", async (_what, error) => {
    const { attempt, seen } = flaky(9, () => error);
    await expect(retry(attempt, FAST)).rejects.toBe(error);
    expect(seen).toEqual([1]);
  });

  it("gives up with the last error when the next attempt would begin after the deadline", async () => {
    const { attempt, seen } = flaky(1e9);
    const begin = performance.now();
    await expect(retry(attempt, { deadlineMs: 60, minDelayMs: 10, maxDelayMs: 20 })).rejects.toMatchObject({
      code: "STORAGE_UNAVAILABLE",
    });
    expect(performance.now() - begin).toBeLessThan(1_000);
    expect(seen.length).toBeGreaterThan(1);
  });

  it("makes one attempt even when there is no time for a second", async () => {
    const { attempt, seen } = flaky(1e9);
    await expect(retry(attempt, { deadlineMs: 0 })).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    expect(seen).toEqual([1]);
  });

  it("makes no attempt once it is aborted, and throws the reason", async () => {
    const { attempt, seen } = flaky(0);
    const reason = new AppError("LEASE_LOST", "lost");
    await expect(retry(attempt, { ...FAST, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(seen).toEqual([]);
  });

  it("stops waiting when it is aborted, and throws the reason", async () => {
    const reason = new AppError("LEASE_LOST", "lost");
    const controller = new AbortController();
    const { attempt, seen } = flaky(1e9);
    const onRetry = (): void => controller.abort(reason);
    const options = {
      deadlineMs: 3_600_000,
      minDelayMs: 600_000,
      maxDelayMs: 600_000,
      signal: controller.signal,
      onRetry,
    };
    await expect(retry(attempt, options)).rejects.toBe(reason);
    expect(seen).toEqual([1]);
  });
});
