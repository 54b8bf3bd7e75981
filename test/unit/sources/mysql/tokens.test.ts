import { describe, expect, test } from "vitest";
import { dialectOf, tokenize } from "../../../../lib/sources/mysql/tokens.ts";

const texts = (sql: string, sqlMode = ""): string[] =>
  tokenize(sql, dialectOf(sqlMode)).map(({ kind, text }) => `${kind}:${text}`);

describe("tokenize", () => {
  test("tells quoted names from words, strings and marks", () => {
    expect(texts("SELECT `a b`.x, 'it''s' = \"q\\\"\"")).toEqual([
      "word:SELECT",
      "quoted:a b",
      "mark:.",
      "word:x",
      "mark:,",
      "string:'it''s'",
      "mark:=",
      'string:"q\\""',
    ]);
  });

  test("reads doubled backquotes, dots and backslashes inside a name", () => {
    expect(texts("`a``b`.`c.d`.`e\\`")).toEqual(["quoted:a`b", "mark:.", "quoted:c.d", "mark:.", "quoted:e\\"]);
  });

  test("leaves comments out, but not the content of executable ones", () => {
    expect(texts("a /* `x` */ b -- c\nd # e\nf /*!80023 INVISIBLE */ g")).toEqual(
      ["a", "b", "d", "f", "INVISIBLE", "g"].map((word) => `word:${word}`),
    );
  });

  test("takes '--' without a blank for two minus signs, and '*/' outside of a comment for a product", () => {
    expect(texts("1--1")).toEqual(["word:1", "mark:-", "mark:-", "word:1"]);
    expect(texts("2*/* x */3")).toEqual(["word:2", "mark:*", "word:3"]);
  });

  test("does not take quotes inside strings and comments for their ends", () => {
    expect(texts("'a \\' /* ` */' /* ' */ x")).toEqual(["string:'a \\' /* ` */'", "word:x"]);
  });

  test("takes double quotes for names under ANSI_QUOTES", () => {
    expect(texts('"a""b"', "ANSI_QUOTES")).toEqual(['quoted:a"b']);
  });

  test("takes a backslash for itself under NO_BACKSLASH_ESCAPES", () => {
    expect(texts("'a\\' b", "STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES")).toEqual(["string:'a\\'", "word:b"]);
  });

  test("gives a quote that is not closed as a mark", () => {
    expect(texts("a 'b")).toEqual(["word:a", "mark:'", "word:b"]);
  });

  test("gives offsets that cut the token out of the text", () => {
    const sql = "  `ñ日` = 'x'";
    expect(tokenize(sql).map(({ start, end }) => sql.slice(start, end))).toEqual(["`ñ日`", "=", "'x'"]);
  });
});
