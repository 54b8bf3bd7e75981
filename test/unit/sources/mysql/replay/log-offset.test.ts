import { describe, expect, it } from "vitest";
import { unwrapOffset } from "../../../../../lib/sources/mysql/replay/log-offset.ts";

const GIB = 2 ** 30;

describe("offsets in a log", () => {
  it("go on past the 4 GiB that positions can tell", () => {
    let last = { file: "binlog.000001", offset: 4 * GIB - 100 };
    for (const expected of [4 * GIB + 50, 5 * GIB, 7 * GIB, 8 * GIB, 9 * GIB]) {
      last = { ...last, offset: unwrapOffset(last, last.file, expected % (4 * GIB)) };
      expect(last.offset).toBe(expected);
    }
  });

  it("start anew with each file, and go back where the log is read again from a little before", () => {
    const last = { file: "binlog.000001", offset: 5 * GIB };
    expect(unwrapOffset(last, "binlog.000002", 126)).toBe(126);
    expect(unwrapOffset(last, last.file, GIB - 1000)).toBe(5 * GIB - 1000);
  });
});
