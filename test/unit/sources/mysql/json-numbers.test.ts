import { describe, expect, it } from "vitest";
import { countNumbersSql } from "../../../../lib/sources/mysql/json-numbers.ts";

const many = (...texts: string[]) => Array.from({ length: 40 }, () => texts).flat();

describe("countNumbersSql", () => {
  it("counts the numbers that the documents have, by the types that they have there", () => {
    expect(countNumbersSql("j", many('{"a": 1, "b": ["x", 2.5], "c": {"d": 1}}', '{"a": 1.5, "c": {"d": 7}}'))).toBe(
      "IF(`j` IS NULL, NULL, " +
        `IFNULL(JSON_TYPE(JSON_EXTRACT(\`j\`, '$."a"')) IN ('INTEGER', 'DOUBLE'), 0) + ` +
        `IFNULL(JSON_TYPE(JSON_EXTRACT(\`j\`, '$."b"[1]')) = 'DOUBLE', 0) + ` +
        `IFNULL(JSON_TYPE(JSON_EXTRACT(\`j\`, '$."c"."d"')) = 'INTEGER', 0))`,
    );
  });

  it("counts none where there is none", () => {
    expect(countNumbersSql("j", many('{"a": "x"}'))).toBe("IF(`j` IS NULL, NULL, 0)");
  });

  it.each(["2024-01-31", "10:11:12.000000", "-838:59:59.000000", "2024-01-31 10:11:12.123456", "base64:type15:AA=="])(
    "does not help where a string looks like %j",
    (string) => {
      expect(countNumbersSql("j", many(`{"a": 1, "b": "${string}"}`))).toBeUndefined();
    },
  );

  it("does not help with documents that have little in common", () => {
    const odd = Array.from({ length: 60 }, (_, index) => `{"k${index}": 1}`);
    expect(countNumbersSql("j", odd)).toBeUndefined();
    expect(countNumbersSql("j", [])).toBeUndefined();
  });

  it("does not help where a number could be counted at two places", () => {
    expect(countNumbersSql("j", many('{"a": 1}', '{"a": [1]}'))).toBeUndefined();
    expect(countNumbersSql("j", many('{"a": [[1]]}', '{"a": [1]}'))).toBeUndefined();
    expect(countNumbersSql("j", many('{"a": [1, 2]}'))).toContain('$."a"[1]');
  });
});
