import { describe, expect, it } from "vitest";
import { quoteList, quoteName, quoteString, quoteTable } from "../../../../lib/sources/mysql/quoting.ts";

describe("quoting", () => {
  it("keeps backticks, quotes, dots and backslashes inside one name", () => {
    expect(quoteName("a`b'.\"c\\")).toBe("`a``b'.\"c\\`");
    expect(quoteTable("my shop", "or`ders")).toBe("`my shop`.`or``ders`");
  });

  it("leaves no way out of a string", () => {
    expect(quoteString("it's \\ \0 \n \r \u001a \"")).toBe(String.raw`'it\'s \\ \0 \n \r \Z "'`);
  });

  it("makes a list that nothing equals out of no texts", () => {
    expect(quoteList([])).toBe("NULL");
    expect(quoteList(["a", "b'c"])).toBe(String.raw`'a', 'b\'c'`);
  });
});
