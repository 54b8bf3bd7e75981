import { describe, expect, it } from "vitest";
import type { TransactionHead } from "../../../../../lib/sources/mysql/binlog/gtid-event.ts";
import { formatStopPoint, judge, parseStopPoint } from "../../../../../lib/sources/mysql/replay/stop-point.ts";

const UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

function head(number: bigint, micros: bigint): TransactionHead {
  return {
    gtid: { uuid: UUID, tag: "", number },
    lastCommitted: 0n,
    sequenceNumber: 0n,
    immediateCommitMicros: micros,
    originalCommitMicros: micros,
    transactionLength: 0n,
    mayHaveStatements: false,
  };
}

describe("stop points", () => {
  it.each([
    ["latest", "latest"],
    [`before:${UUID}:23`, `before:${UUID}:23`],
    [`after:${UUID.toUpperCase()}:tag:23`, `after:${UUID}:tag:23`],
    ["2026-11-21T23:04:13.123456Z", "2026-11-21T23:04:13.123456Z"],
    ["2026-11-21 23:04Z", "2026-11-21T23:04:00.000000Z"],
    ["2026-11-21T23:04:13.5+05:30", "2026-11-21T17:34:13.500000Z"],
  ])("reads %s", (text, expected) => {
    expect(formatStopPoint(parseStopPoint(text))).toBe(expected);
  });

  it.each([
    "",
    "now",
    "2026-11-21T23:04:13",
    "2026-13-21T23:04:13Z",
    "2026-11-21T23:04:13.1234567Z",
    "before:",
    "after:x:1",
  ])("refuses %j", (text) => {
    expect(() => parseStopPoint(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
  });

  it("takes what was committed at the very time, and stops at what was committed a microsecond later", () => {
    const stop = parseStopPoint("2026-11-21T23:04:13.123456Z");
    const at = 1_795_302_253_123_456n;
    expect(judge(stop, head(1n, at))).toBe("replay");
    expect(judge(stop, head(2n, at + 1n))).toBe("stop");
  });

  it("stops before a transaction, or after it", () => {
    expect(judge(parseStopPoint(`before:${UUID}:5`), head(4n, 0n))).toBe("replay");
    expect(judge(parseStopPoint(`before:${UUID}:5`), head(5n, 0n))).toBe("stop");
    expect(judge(parseStopPoint(`after:${UUID}:5`), head(5n, 0n))).toBe("last");
  });
});
