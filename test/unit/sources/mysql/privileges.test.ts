import { describe, expect, test } from "vitest";
import { parseGrants } from "../../../../lib/sources/mysql/privileges.ts";

describe("parseGrants", () => {
  const privileges = parseGrants([
    "GRANT SELECT, PROCESS, CREATE TEMPORARY TABLES ON *.* TO `u`@`%`",
    "GRANT SET_ANY_DEFINER,SYSTEM_USER ON *.* TO `u`@`%` WITH GRANT OPTION",
    "GRANT INSERT, CREATE VIEW ON `shop`.* TO `u`@`%`",
    "GRANT ALL PRIVILEGES ON `my\\_%`.* TO `u`@`%`",
    "GRANT DROP ON `a``b`.* TO `u`@`%`",
    "GRANT SELECT (`x`), UPDATE ON `other`.`t` TO `u`@`%`",
    "GRANT `r`@`%` TO `u`@`%`",
    "GRANT PROXY ON ``@`` TO `u`@`%`",
  ]);

  test("finds what holds everywhere", () => {
    expect(privileges.everywhere("SELECT")).toBe(true);
    expect(privileges.everywhere("CREATE TEMPORARY TABLES")).toBe(true);
    expect(privileges.everywhere("SYSTEM_USER")).toBe(true);
    expect(privileges.everywhere("INSERT")).toBe(false);
  });

  test("finds what holds on a schema", () => {
    expect(privileges.on("shop", "CREATE VIEW")).toBe(true);
    expect(privileges.on("shop", "SELECT")).toBe(true);
    expect(privileges.on("shop2", "INSERT")).toBe(false);
    expect(privileges.on("a`b", "DROP")).toBe(true);
  });

  test("reads patterns of schema names", () => {
    expect(privileges.on("my_shop", "TRIGGER")).toBe(true);
    expect(privileges.on("myXshop", "TRIGGER")).toBe(false);
  });

  test("does not take a grant on a table for one on its schema", () => {
    expect(privileges.on("other", "UPDATE")).toBe(false);
  });
});
