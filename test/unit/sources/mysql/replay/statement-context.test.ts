import { describe, expect, it } from "vitest";
import { readDecimal } from "../../../../../lib/sources/mysql/replay/statement-context.ts";
import { SessionState } from "../../../../../lib/sources/mysql/replay/session-state.ts";

describe("packed decimals of user variables", () => {
  // Precision, scale, then the bytes that the server logs.
  it.each([
    ["050280 0c 22", "12.34"],
    ["05027f f3 dd", "-12.34"],
    ["0e04810dfb38d204d2", "1234567890.1234"],
    ["0e047ef204c72dfb2d", "-1234567890.1234"],
    ["010085", "5"],
    ["010180", ".0"],
  ])("%s is %s", (hex, expected) => {
    expect(readDecimal(Buffer.from(hex.replaceAll(" ", ""), "hex")).replace(/^(-?)0*(?=[1-9.])/, "$1")).toBe(expected);
  });
});

describe("the session's state", () => {
  it("is sent once, and again only where it differs or was forgotten", () => {
    const state = new SessionState();
    expect(
      state.change([
        ["sql_mode", "1"],
        ["lc_time_names", "0"],
      ]),
    ).toBe("SET @@SESSION.sql_mode = 1, @@SESSION.lc_time_names = 0");
    expect(
      state.change([
        ["sql_mode", "1"],
        ["lc_time_names", "0"],
      ]),
    ).toBeUndefined();
    expect(
      state.change([
        ["sql_mode", "2"],
        ["lc_time_names", "0"],
      ]),
    ).toBe("SET @@SESSION.sql_mode = 2");
    state.forget();
    expect(state.change([["sql_mode", "2"]])).toBe("SET @@SESSION.sql_mode = 2");
  });
});
