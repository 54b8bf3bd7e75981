import { describe, expect, it } from "vitest";
import { keySpaceOf } from "../../../../lib/sources/mysql/key-space.ts";
import type { ColumnModel } from "../../../../lib/sources/mysql/schema-model.ts";

function space(type: string, charset: string | null = null) {
  const found = keySpaceOf({ type, charset, columnType: type, name: "k" } as ColumnModel);
  expect(found).toBeDefined();
  return found;
}

describe("key spaces", () => {
  it("halve integers of 64 bits, signed, unsigned and with leading zeros", () => {
    expect(space("bigint")?.between("0", "18446744073709551615")).toEqual(["9223372036854775808"]);
    expect(space("bigint")?.between("-9223372036854775808", "9223372036854775807")).toEqual(["0"]);
    expect(space("int")?.between("7", "8")).toEqual(["8"]);
    expect(space("int")?.between("7", "7")).toEqual([]);
    expect(space("int")?.literal("00007")).toBe("7");
  });

  it("halve decimals at an integer above the lower and not above the higher one", () => {
    expect(space("decimal")?.between("1.90", "5.10")).toEqual(["3"]);
    expect(space("decimal")?.between("-5.5", "-4.2")).toEqual(["-5"]);
    expect(space("decimal")?.between("0.10", "0.90")).toEqual([]);
  });

  it("halve binary strings after their common beginning", () => {
    expect(space("binary")?.between("00FF00", "00FFFF")).toEqual(["X'00FF7f800000'"]);
    expect(space("varbinary")?.between("", "FF")).toEqual(["X'7f800000'"]);
  });

  it("guess between texts in letters and digits after their common beginning", () => {
    const first = (low: string, high: string) => space("varchar", "utf8mb4")?.between(`FF ${low}`, `FF ${high}`)[0];
    expect(first("user-100", "USER-900")).toMatch(/^'user-[4-6]/);
    expect(first("中文a", "中文z")).toMatch(/^'中文[l-o]/);
    expect(first("\u{1f600}", "\u{1f601}")).toBe("'i'");
    expect(first("€", "z")).toBe("'i'");
  });

  it("write texts as the bytes of their character set", () => {
    expect(space("varchar", "gbk")?.literal("b0a1 啊")).toBe("_gbk X'b0a1'");
  });

  it("halve instants in microseconds", () => {
    expect(space("datetime")?.between("0", "2000000")).toEqual(["TIMESTAMPADD(MICROSECOND, 1000000, '1970-01-01')"]);
  });

  it("leave types alone whose order is not that of their text", () => {
    for (const type of ["enum", "set", "bit", "float", "json", "year"]) {
      expect(keySpaceOf({ type, charset: null } as ColumnModel)).toBeUndefined();
    }
  });
});
