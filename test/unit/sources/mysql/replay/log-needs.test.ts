import { describe, expect, it } from "vitest";
import { LogNeeds } from "../../../../../lib/sources/mysql/replay/log-needs.ts";
import { tokenize } from "../../../../../lib/sources/mysql/tokens.ts";

function needsOf(...statements: string[]): LogNeeds {
  const needs = new LogNeeds();
  for (const sql of statements) needs.add(tokenize(sql), ["shop"]);
  return needs;
}

describe("what a logged statement needs of the target", () => {
  it.each([
    ["CREATE TABLE t (a INT)", "CREATE INSERT"],
    ["CREATE TABLE t (a INT REFERENCES u (a))", "CREATE INSERT REFERENCES"],
    ["CREATE TEMPORARY TABLE t (a INT)", "CREATE TEMPORARY TABLES"],
    ["ALTER TABLE t RENAME TO u", "ALTER CREATE DROP INSERT"],
    ["DROP TABLE `trigger`", "DROP"],
    ["TRUNCATE TABLE t", "DROP"],
    ["CREATE UNIQUE INDEX i ON t (a)", "INDEX"],
    ["CREATE ALGORITHM=UNDEFINED DEFINER=`a`@`%` SQL SECURITY DEFINER VIEW `v` AS SELECT 1", "CREATE VIEW DROP"],
    ["CREATE DEFINER=`a`@`%` PROCEDURE `p`() DELETE FROM `table`", "CREATE ROUTINE"],
    ["DROP FUNCTION f", "ALTER ROUTINE"],
    ["CREATE DEFINER=`a`@`%` EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO TRUNCATE TABLE t", "EVENT"],
    ["CREATE DATABASE other", "CREATE"],
    ["INSERT INTO t VALUES (1)", "SELECT INSERT UPDATE DELETE"],
    ["SAVEPOINT a", ""],
  ])("%s", (sql, privileges) => {
    expect([...(needsOf(sql).privileges.get("shop") ?? [])].join(" ")).toBe(privileges);
  });

  it("counts functions and triggers, and names the definers", () => {
    const needs = needsOf(
      "CREATE DEFINER=`ann`@`%` FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1",
      "CREATE DEFINER=`bob`@`localhost` FUNCTION g() RETURNS INT NOT DETERMINISTIC RETURN 1",
      "CREATE DEFINER=`ann`@`%` TRIGGER t BEFORE INSERT ON u FOR EACH ROW SET @definer = 1",
      "DROP TRIGGER t",
    );
    expect(needs).toMatchObject({ functions: 2, unsafeFunctions: 1, triggers: 1, accounts: false });
    expect([...needs.definers]).toEqual(["ann@%", "bob@localhost"]);
    expect(needsOf("CREATE USER a@b").accounts).toBe(true);
  });
});
