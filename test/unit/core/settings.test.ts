import { describe, expect, it } from "vitest";
import { parseSettings } from "../../../lib/core/settings.ts";
import { thisTool } from "../../../lib/core/tool.ts";

describe("parseSettings", () => {
  it("fills in defaults, leaves foreign variables out and can't be changed", () => {
    const settings = parseSettings({ RESGUARDO_POLICY: "policy.json", PATH: "/bin" });
    expect(settings).toEqual({ RESGUARDO_POLICY: "policy.json", RESGUARDO_LOG_LEVEL: "info", RESGUARDO_ROLE: "all" });
    expect(Object.isFrozen(settings)).toBe(true);
  });

  it("takes an empty variable for one that is not set", () => {
    const settings = parseSettings({ RESGUARDO_POLICY: "p", RESGUARDO_LOG_LEVEL: "", AZURE_CLIENT_ID: "" });
    expect(settings).toEqual({ RESGUARDO_POLICY: "p", RESGUARDO_LOG_LEVEL: "info", RESGUARDO_ROLE: "all" });
  });

  it("names every wrong setting at once and shows no value", () => {
    const parse = () => parseSettings({ RESGUARDO_LOG_LEVEL: "hunter2", RESGUARDO_COMMIT: "hunter2".repeat(20) });
    expect(parse).toThrow(
      expect.objectContaining({
        code: "SETTING_MISSING",
        message: "settings missing or wrong: RESGUARDO_POLICY, RESGUARDO_COMMIT, RESGUARDO_LOG_LEVEL",
      }),
    );
  });
});

describe("thisTool", () => {
  it("names product, version and the deployed commit", () => {
    expect(thisTool({ RESGUARDO_COMMIT: "abc123" })).toEqual({
      name: "resguardo",
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      commit: "abc123",
    });
  });

  it.each([{}, { RESGUARDO_COMMIT: "" }])("knows no commit from %j", (env) => {
    expect(thisTool(env).commit).toBeNull();
  });
});
