import { describe, expect, it } from "vitest";
import { expectTime } from "../../../lib/restore/expected-time.ts";
import type { MeasuredRestore } from "../../../lib/restore/measured-restores.ts";

const rates = { plainBytesPerSecond: 100, logBytesPerSecond: 10, transactionsPerSecond: 20 };
const full = { plainBytes: 10_000, logBytes: 0, transactions: 0 };
const withLog = { ...full, logBytes: 1000, transactions: 400 };

const measured = (loadSeconds: number, replaySeconds = 0, more: Partial<MeasuredRestore> = {}): MeasuredRestore => ({
  run: "r",
  plainBytes: 10_000,
  loadSeconds,
  logBytes: 0,
  transactions: 0,
  replaySeconds,
  ...more,
});

describe("the expected time of a restore", () => {
  it("comes from the default rates where nothing was measured", () => {
    expect(expectTime(full, [], rates)).toEqual({ seconds: 100, basis: "default" });
    expect(expectTime(withLog, [], rates)).toEqual({ seconds: 100 + 100 + 20, basis: "default" });
    expect(expectTime({ plainBytes: 1, logBytes: 0, transactions: 0 }, [], rates).seconds).toBe(1);
  });

  it("is what was measured, scaled to what there is to do", () => {
    const amount = { ...full, plainBytes: 15_000 };
    expect(expectTime(amount, [measured(400)], rates)).toEqual({ seconds: 600, basis: "measured" });
  });

  it("takes the median, so that one slow drill does not decide", () => {
    expect(expectTime(full, [measured(50), measured(900), measured(60)], rates).seconds).toBe(60);
  });

  it("does not blow up what a short measurement took beside the rows", () => {
    const short = measured(2, 0, { plainBytes: 100 });
    expect(expectTime(full, [short], rates)).toEqual({ seconds: 2 + 100 - 1, basis: "measured" });
    expect(expectTime({ ...full, plainBytes: 50 }, [short], rates).seconds).toBe(2);
  });

  it("names the basis measured only where a replay was measured, too", () => {
    const replay = measured(50, 240, { logBytes: 1000, transactions: 400 });
    expect(expectTime(withLog, [measured(50)], rates)).toEqual({ seconds: 50 + 120, basis: "default" });
    expect(expectTime(withLog, [measured(50), replay], rates)).toEqual({ seconds: 50 + 240, basis: "measured" });
  });
});
