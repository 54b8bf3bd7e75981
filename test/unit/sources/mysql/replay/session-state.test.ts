import { describe, expect, it } from "vitest";
import { SessionState } from "../../../../../lib/sources/mysql/replay/session-state.ts";

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
