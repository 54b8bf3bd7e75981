import { describe, expect, it } from "vitest";
import { decimalSize, readDecimal } from "../../../../../lib/sources/mysql/binlog/decimal.ts";

describe("packed decimals", () => {
  // Precision, scale, and the bytes that the server stores.
  it.each([
    [5, 2, "800c22", "12.34"],
    [5, 2, "7ff3dd", "-12.34"],
    [14, 4, "810dfb38d204d2", "1234567890.1234"],
    [14, 4, "7ef204c72dfb2d", "-1234567890.1234"],
    [1, 0, "85", "5"],
    [1, 1, "80", "0.0"],
  ])("DECIMAL(%i,%i) of %s is %s", (precision, scale, hex, expected) => {
    const packed = Buffer.from(hex, "hex");
    expect(readDecimal(packed, precision, scale)).toBe(expected);
    expect(decimalSize(precision, scale)).toBe(packed.length);
  });
});
