import { describe, expect, it } from "vitest";
import { describeProgress } from "../../../cli/progress.ts";
import { formatBytes, formatCount, formatTable } from "../../../cli/table.ts";

describe("terminal texts", () => {
  it("pads each column to its widest cell without trailing spaces", () => {
    expect(
      formatTable(
        ["a", "bbb"],
        [
          ["11", "2"],
          ["1", "4444"],
        ],
      ),
    ).toEqual(["a   bbb", "11  2", "1   4444"]);
  });

  it("writes bytes with the unit that fits", () => {
    expect([0, 1023, 1024, 1536, 1024 ** 3 * 120].map(formatBytes)).toEqual([
      "0 B",
      "1023 B",
      "1.0 KiB",
      "1.5 KiB",
      "120 GiB",
    ]);
  });

  it("separates thousands", () => {
    expect(formatCount(48211)).toBe("48,211");
  });

  it("tells throughput and time left", () => {
    const update = { phase: "reading rows", doneBytes: 50 * 1024 ** 2, totalBytes: 200 * 1024 ** 2 };
    expect(describeProgress(update, 50 * 1024 ** 2, 2000)).toBe(
      "reading rows  25 %  50.0 MiB of 200 MiB  25.0 MiB/s  6 s left",
    );
  });
});
