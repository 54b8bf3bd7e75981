import { describe, expect, it } from "vitest";
import { proofSql, shapeOf } from "../../../../lib/sources/mysql/json-shape.ts";

function proof(...documents: unknown[]): string {
  const shape = shapeOf(documents);
  return shape === undefined ? "" : proofSql("j", shape);
}

describe("proofSql", () => {
  it("asks for each place of the documents, and whether those are all", () => {
    expect(proof({ a: "x", b: true })).toBe(
      `(JSON_LENGTH(\`j\`, '$') = IFNULL((JSON_TYPE(JSON_EXTRACT(\`j\`, '$."a"')) = 'STRING'), 0)` +
        ` + IFNULL((JSON_TYPE(JSON_EXTRACT(\`j\`, '$."b"')) = 'BOOLEAN'), 0))`,
    );
  });

  it("takes integers and doubles for numbers", () => {
    expect(proof(5)).toBe("(JSON_TYPE(`j`) IN ('INTEGER', 'DOUBLE'))");
  });

  it("joins what documents have at the same place", () => {
    expect(proof({ a: null }, { a: [] })).toContain(
      "(JSON_TYPE(JSON_EXTRACT(`j`, '$.\"a\"')) = 'NULL' OR JSON_LENGTH(`j`, '$.\"a\"') = 0)",
    );
  });

  it("quotes keys, so that no key becomes SQL or another path", () => {
    expect(proof({ "a'b\"c\\": 1 })).toContain(String.raw`'$.\"a\'b\\\"c\\\\\"'`.replaceAll(String.raw`\"`, '"'));
  });
});

describe("shapeOf", () => {
  it("gives up on documents that have too many different places", () => {
    const wide = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, index]));
    expect(shapeOf([wide])).toBeUndefined();
    expect(shapeOf([])).toBeUndefined();
  });
});
