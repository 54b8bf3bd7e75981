import { describe, expect, it } from "vitest";
import { assertBlobName, assertStateKey, encodeNamePart } from "../../../../lib/vault/storage/blob-name.ts";

describe("assertBlobName", () => {
  it.each(["a", "shop/full/20261121T230413123Z-9f3a5c1e/manifest.json", "a%20b", "~_.-x", "x".repeat(255)])(
    "accepts %s",
    (name) => {
      expect(() => assertBlobName(name)).not.toThrow();
    },
  );

  it.each([
    ["a/b/../c", "characters that are not allowed, or ends in a dot"],
    ["a/./b", "ends in a dot"],
    ["name.", "ends in a dot"],
    ["a//b", "empty part"],
    ["/a", "empty part"],
    ["a\n", "not allowed"],
    ["é", "not allowed"],
    ["a\\b", "not allowed"],
    ["a:b", "not allowed"],
    ["x".repeat(256), "longer than 255"],
    ["ab/".repeat(400), "1200 characters"],
  ])("refuses %j: %s", (name, problem) => {
    expect(() => assertBlobName(name)).toThrow(expect.objectContaining({ code: "STORAGE_PATH_INVALID" }));
    expect(() => assertBlobName(name)).toThrow(problem);
  });
});

describe("assertStateKey", () => {
  it("refuses a key that does not fit one file name", () => {
    expect(() => assertStateKey("leases/shop/full")).not.toThrow();
    expect(() => assertStateKey("a/".repeat(100) + "b")).toThrow("too long");
  });
});

describe("encodeNamePart", () => {
  it.each([
    ["shop", "shop"],
    ["my shop/2", "my%20shop%2F2"],
    ["..", ".%2E"],
    [".", "%2E"],
    ["100%", "100%25"],
    ["café", "caf%C3%A9"],
    ["日本", "%E6%97%A5%E6%9C%AC"],
    ["🛟", "%F0%9F%9B%9F"],
    ["a\\b`c'd\"e\n", "a%5Cb%60c%27d%22e%0A"],
  ])("makes an allowed part of %j that gives it back", (text, part) => {
    expect(encodeNamePart(text)).toBe(part);
    expect(() => assertBlobName(part)).not.toThrow();
    expect(decodeURIComponent(part)).toBe(text);
  });

  it.each(["", "日".repeat(64)])("refuses %j, which no part can hold", (text) => {
    expect(() => encodeNamePart(text)).toThrow(expect.objectContaining({ code: "STORAGE_PATH_INVALID" }));
  });
});
