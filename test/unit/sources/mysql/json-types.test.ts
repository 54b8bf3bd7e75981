import { describe, expect, it } from "vitest";
import { typedJsonSql } from "../../../../lib/sources/mysql/json-types.ts";

describe("typedJsonSql", () => {
  it("replaces each scalar that has a letter, by its path", () => {
    expect(typedJsonSql('{"a": 1, "b c": [true, {"d": 1.50}], "e": [[5]]}', "..DU")).toBe(
      `JSON_REPLACE(CAST('{"a": 1, "b c": [true, {"d": 1.50}], "e": [[5]]}' AS JSON), ` +
        `'$."b c"[1]."d"', CAST('1.50' AS DECIMAL(3, 2)), '$."e"[0][0]', CAST('5' AS UNSIGNED))`,
    );
  });

  it("is not confused by what looks like JSON inside strings", () => {
    expect(typedJsonSql(String.raw`["a,]\"{", 7]`, ".U")).toContain("'$[1]', CAST('7' AS UNSIGNED)");
  });

  it("makes a document that is a scalar", () => {
    expect(typedJsonSql("-0.5", "D")).toBe("JSON_REPLACE(CAST('-0.5' AS JSON), '$', CAST('-0.5' AS DECIMAL(2, 1)))");
  });

  it("makes opaque values of the type that they came from", () => {
    expect(typedJsonSql('["base64:type15:djE="]', "B")).toContain("X'7631'");
    expect(typedJsonSql('["base64:type254:YmkA"]', "B")).toContain("BINARY(3)");
    expect(typedJsonSql('["base64:type16:A+g="]', "X")).toContain("BIT(16)");
  });

  it("refuses more letters than scalars", () => {
    expect(() => typedJsonSql("[1]", ".U")).toThrow(expect.objectContaining({ code: "INVARIANT" }));
  });
});
