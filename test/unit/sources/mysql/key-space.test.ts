import { describe, expect, it } from "vitest";
import { keySpaceOf } from "../../../../lib/sources/mysql/key-space.ts";
import type { ColumnModel } from "../../../../lib/sources/mysql/schema-model.ts";

function space(type: string, charset: string | null = null) {
  const found = keySpaceOf({ type, charset, columnType: type, name: "k" } as ColumnModel);
  expect(found).toBeDefined();
  return found;
}

const hex = (text: string, encoding: BufferEncoding = "utf8") => Buffer.from(text, encoding).toString("hex");

describe("key spaces", () => {
  it("halve integers of 64 bits, signed, unsigned and with leading zeros", () => {
    expect(space("bigint")?.middle("0", "18446744073709551615")).toBe("9223372036854775808");
    expect(space("bigint")?.middle("-9223372036854775808", "9223372036854775807")).toBe("0");
    expect(space("int")?.middle("7", "8")).toBe("8");
    expect(space("int")?.middle("7", "7")).toBeUndefined();
    expect(space("int")?.literal("00007")).toBe("7");
  });

  it("halve decimals at an integer above the lower and not above the higher one", () => {
    expect(space("decimal")?.middle("1.90", "5.10")).toBe("3");
    expect(space("decimal")?.middle("-5.5", "-4.2")).toBe("-5");
    expect(space("decimal")?.middle("0.10", "0.90")).toBeUndefined();
  });

  it("halve binary strings after their common beginning", () => {
    expect(space("binary")?.middle("00FF00", "00FFFF")?.toUpperCase()).toBe("X'00FF7F800000'");
    expect(space("varbinary")?.middle("", "FF")).toBe("X'7f800000'");
  });

  it("guess between texts in letters and digits, whatever the bytes of the character set", () => {
    expect(space("varchar", "utf8mb4")?.middle(hex("user-100"), hex("user-900"))).toMatch(/^'user-[4-6]/);
    expect(space("char", "utf16")?.middle("00610061", "0061007a")).toMatch(/^'a[l-o]/);
    expect(space("varchar", "gbk")?.literal("b0a1")).toBe("_gbk X'b0a1'");
    expect(space("varchar", "utf8mb4")?.middle(hex("añ"), hex("añ"))).toBeUndefined();
  });

  it("halve instants in microseconds", () => {
    expect(space("datetime")?.middle("0", "2000000")).toBe("TIMESTAMPADD(MICROSECOND, 1000000, '1970-01-01')");
  });

  it("leave types alone whose order is not that of their text", () => {
    for (const type of ["enum", "set", "bit", "float", "json", "year"]) {
      expect(keySpaceOf({ type, charset: null } as ColumnModel)).toBeUndefined();
    }
  });
});
