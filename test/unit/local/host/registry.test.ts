import { describe, expect, test } from "vitest";
import { createRegistry, type Registry } from "../../../../local/host/registry.ts";

const invalid = expect.objectContaining({ code: "HOST_APP_INVALID" });

function register(registry: Registry, name: string) {
  return registry.coreApi.registerFunction({ name, bindings: {} }, () => {});
}

describe("a registry", () => {
  test("keeps functions in their order, and forgets one that is disposed of", () => {
    const registry = createRegistry(() => {});
    register(registry, "b");
    const registration = register(registry, "a");
    expect([...registry.functions.keys()]).toEqual(["b", "a"]);
    registration.dispose();
    expect([...registry.functions.keys()]).toEqual(["b"]);
  });

  test("refuses a name twice, a name that Azure refuses, and any function after the start", () => {
    const registry = createRegistry(() => {});
    register(registry, "a");
    for (const name of ["a", "1a", "a.b", "", "Host", "a".repeat(129)]) {
      expect(() => register(registry, name)).toThrow(invalid);
    }
    registry.lock();
    expect(() => register(registry, "late")).toThrow(invalid);
  });

  test("runs hooks in their order with one context, and not those that were disposed of", async () => {
    const registry = createRegistry(() => {});
    const add = (letter: string) =>
      registry.coreApi.registerHook("appStart", async (context) => {
        context["seen"] = `${String(context["seen"])}${letter}`;
      });
    add("a");
    add("b").dispose();
    add("c");
    const context = { seen: "" };
    await registry.runHooks("appStart", context);
    expect(context.seen).toBe("ac");
  });

  test("answers an unknown hook with the RangeError that the library looks for", () => {
    expect(() => createRegistry(() => {}).coreApi.registerHook("unknown", () => {})).toThrow(RangeError);
  });

  test("says so when the app never used @azure/functions", () => {
    expect(() => createRegistry(() => {}).model()).toThrow(invalid);
  });
});
