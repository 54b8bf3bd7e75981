import { describe, expect, test } from "vitest";
import { createRouter, parseRoute, type Router } from "../../../../local/host/routes.ts";

function routerOf(...templates: string[]): Router<string> {
  return createRouter(templates.map((template) => parseRoute(template, ["GET"], template)));
}

describe("a router", () => {
  test("prefers literal, then constrained, then parameter, then rest, whatever their order", () => {
    const router = routerOf("a/{*rest}", "a/{id}", "a/{id:int}", "a/b");
    const found = ["/a/b", "/a/1", "/a/x", "/a/x/y", "/a"].map((path) => router("GET", path)?.value);
    expect(found).toEqual(["a/b", "a/{id:int}", "a/{id}", "a/{*rest}", "a/{*rest}"]);
  });

  test("decides segment by segment from the left", () => {
    const router = routerOf("{x}/b/c", "a/{y}/{z}");
    expect(router("GET", "/a/b/c")?.value).toBe("a/{y}/{z}");
  });

  test("leaves an optional parameter out, and prefers the route without it", () => {
    expect(routerOf("freshness/{source?}")("GET", "/freshness")?.params).toEqual({});
    expect(routerOf("freshness/{source?}")("GET", "/freshness/shop")?.params).toEqual({ source: "shop" });
    expect(routerOf("freshness/{source?}", "freshness")("GET", "/freshness")?.value).toBe("freshness");
  });

  test("decodes parameters and ignores the case of literals and slashes at the ends", () => {
    expect(routerOf("/API/x/{name}/")("get", "/api/X/a%2Fb%20c/")?.params).toEqual({ name: "a/b c" });
  });

  test("finds nothing for a longer path, a missing parameter, another method or a malformed escape", () => {
    const router = routerOf("a/{b}");
    expect(["/a/b/c", "/a", "/a/%zz"].map((path) => router("GET", path))).toEqual([undefined, undefined, undefined]);
    expect(router("POST", "/a/b")).toBeUndefined();
  });

  test.each([
    ["{n:int}", "12", "1.5"],
    ["{n:long}", "-9007199254740993", "x"],
    ["{n:bool}", "TRUE", "yes"],
    ["{n:alpha}", "abc", "a1"],
    ["{n:guid}", "0f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5b"],
  ])("holds the constraint of %s", (template, good, bad) => {
    const router = routerOf(template);
    expect([router("GET", good)?.params, router("GET", bad)]).toEqual([{ n: good }, undefined]);
  });
});

describe("a route template", () => {
  test.each(["a/{b", "{a}x", "{a:regex(b)}", "{a?}/b", "{*a}/b", "{a=1}"])("of %s is refused", (template) => {
    expect(() => parseRoute(template, ["GET"], 0)).toThrow(expect.objectContaining({ code: "HOST_APP_INVALID" }));
  });
});
