import { describe, expect, it } from "vitest";
import { rangeCondition } from "../../../../lib/sources/mysql/ranges.ts";

const KEY = ["a", "b", "c"];

describe("rangeCondition", () => {
  it("is empty without bounds", () => {
    expect(rangeCondition(KEY, undefined, undefined)).toBe("");
  });

  it("includes the lower bound and excludes the upper one", () => {
    expect(rangeCondition(KEY, ["1"], ["5"])).toBe("`a` >= 1 AND `a` < 5");
  });

  it("compares composite keys column by column", () => {
    expect(rangeCondition(KEY, ["1", "2"], undefined)).toBe("(`a` > 1 OR (`a` = 1 AND `b` >= 2))");
    expect(rangeCondition(KEY, undefined, ["1", "2", "3"])).toBe(
      "(`a` < 1 OR (`a` = 1 AND (`b` < 2 OR (`b` = 2 AND `c` < 3))))",
    );
  });

  it("fixes the columns that both bounds share", () => {
    expect(rangeCondition(KEY, ["1", "2"], ["1", "9"])).toBe("`a` = 1 AND `b` >= 2 AND `b` < 9");
    expect(rangeCondition(KEY, ["1"], ["1", "9"])).toBe("`a` = 1 AND `b` < 9");
  });
});
