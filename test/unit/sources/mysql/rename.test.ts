import { describe, expect, test } from "vitest";
import type { Mapping } from "../../../../lib/sources/mysql/mapping.ts";
import {
  renameEvent,
  renameGrant,
  renameRoutine,
  renameSchema,
  renameTrigger,
  renameView,
} from "../../../../lib/sources/mysql/rename.ts";

const mapping: Mapping = {
  schema: (name) => (name === "shop" ? "new`shop" : name),
  table: (schema, name) => {
    if (schema === "shop" && name === "orders") return { schema: "archive", name: "old orders" };
    return { schema: schema === "shop" ? "new`shop" : schema, name };
  },
  renamedSchemas: new Set(["shop"]),
};

const context = {
  sqlMode: "",
  charset: "utf8mb4",
  collationConnection: "utf8mb4_0900_ai_ci",
  databaseCollation: "utf8mb4_0900_ai_ci",
  definer: "shop@%",
};

const view = (body: string, name = "v") =>
  renameView(
    {
      schema: "shop",
      name,
      createSql: `CREATE DEFINER=\`shop\`@\`%\` VIEW \`shop\`.\`${name}\` AS ${body}`,
      definer: "shop@%",
      sqlSecurity: "DEFINER",
      charset: "utf8mb4",
      collation: "utf8mb4_bin",
    },
    mapping,
  );

const procedure = (body: string, sqlMode = "") =>
  renameRoutine(
    {
      ...context,
      sqlMode,
      schema: "shop",
      name: "p",
      kind: "PROCEDURE",
      createSql: `CREATE DEFINER=\`shop\`@\`%\` PROCEDURE \`p\`() ${body}`,
    },
    mapping,
  );

describe("renameView", () => {
  test("rewrites tables, columns and functions of the schema, and no alias, string or definer", () => {
    expect(
      view(
        "select `shop`.`t`.`shop` AS `shop`,`shop`.`f`(`x`.`shop`) AS `s`,'`shop`.`t`' AS `c` from (`shop`.`t` join `stock`.`shop` `x`)",
      ),
    ).toEqual({
      sql: "CREATE DEFINER=`shop`@`%` VIEW `new``shop`.`v` AS select `new``shop`.`t`.`shop` AS `shop`,`new``shop`.`f`(`x`.`shop`) AS `s`,'`shop`.`t`' AS `c` from (`new``shop`.`t` join `stock`.`shop` `x`)",
    });
  });

  test("gives a renamed table its new name everywhere", () => {
    expect(view("select `shop`.`orders`.`id` AS `id` from `shop`.`orders`")).toEqual({
      sql: "CREATE DEFINER=`shop`@`%` VIEW `new``shop`.`v` AS select `archive`.`old orders`.`id` AS `id` from `archive`.`old orders`",
    });
  });

  test("does not touch a view where an alias has the schema's name", () => {
    expect(view("select `shop`.`id` AS `id` from `shop`.`t` `shop`")).toHaveProperty("reason");
    expect(view("with `shop` as (select 1 AS `id`) select `shop`.`id` AS `id` from `shop`")).toHaveProperty("reason");
  });
});

describe("programs", () => {
  test("a routine moves when its body does not name the schema", () => {
    expect(procedure("BEGIN SELECT shop, x.shop, @shop FROM t; /* shop.t */ SELECT 'shop'; END")).toEqual({
      sql: "CREATE DEFINER=`shop`@`%` PROCEDURE `new``shop`.`p`() BEGIN SELECT shop, x.shop, @shop FROM t; /* shop.t */ SELECT 'shop'; END",
    });
  });

  test.each([
    "SELECT * FROM shop.t",
    "SELECT * FROM `SHOP` . `t`",
    "CALL shop.q()",
    "SHOW TABLES FROM shop",
    "DROP DATABASE shop",
    "BEGIN SET @s = 'select * from shop.t'; END",
    "BEGIN SET @s = CONCAT('delete from `shop`', '.t where `shop`.x'); END",
    "SELECT 1 /*!80000 FROM shop.t */",
  ])("a routine stays behind when its body says %s", (body) => {
    expect(procedure(body)).toEqual({ reason: "its body names the schema `shop`" });
  });

  test("a routine's sql_mode decides what is a name", () => {
    expect(procedure('SELECT * FROM "shop"."t"', "ANSI_QUOTES")).toHaveProperty("reason");
    expect(procedure('SELECT "shop"')).toHaveProperty("sql");
  });

  test("a trigger moves with its table, whatever its header looks like", () => {
    const trigger = {
      ...context,
      schema: "shop",
      table: "orders",
      name: "g",
      timing: "BEFORE",
      event: "INSERT",
      order: 1,
    };
    const createSql =
      "CREATE DEFINER=`shop`@`%` TRIGGER IF NOT EXISTS shop . g /* on x */ BEFORE INSERT ON shop.orders FOR EACH ROW SET NEW.a = 1";
    expect(renameTrigger({ ...trigger, createSql }, mapping)).toEqual({
      sql: "CREATE DEFINER=`shop`@`%` TRIGGER IF NOT EXISTS `archive`.`g` /* on x */ BEFORE INSERT ON `archive`.`old orders` FOR EACH ROW SET NEW.a = 1",
    });
    expect(
      renameTrigger(
        { ...trigger, createSql: createSql.replace("SET NEW.a", "SET @x = (SELECT 1 FROM shop.t), NEW.a") },
        mapping,
      ),
    ).toHaveProperty("reason");
  });

  test.each(["ENABLE", "DISABLE", "DISABLE ON REPLICA", "DISABLE ON SLAVE"])(
    "an event that was %s comes back disabled",
    (status) => {
      const createSql = `CREATE DEFINER=\`shop\`@\`%\` EVENT \`e\` ON SCHEDULE EVERY 1 DAY ON COMPLETION NOT PRESERVE ${status} COMMENT 'ENABLE' DO SELECT 'ENABLE'`;
      expect(
        renameEvent(
          { ...context, schema: "shop", name: "e", timeZone: "SYSTEM", status: "ENABLED", createSql },
          mapping,
        ),
      ).toEqual({
        sql: "CREATE DEFINER=`shop`@`%` EVENT `new``shop`.`e` ON SCHEDULE EVERY 1 DAY ON COMPLETION NOT PRESERVE DISABLE COMMENT 'ENABLE' DO SELECT 'ENABLE'",
      });
    },
  );
});

test("a schema keeps its defaults under its new name", () => {
  expect(
    renameSchema(
      "CREATE DATABASE `shop` /*!40100 DEFAULT CHARACTER SET latin1 */ /*!80016 DEFAULT ENCRYPTION='N' */",
      "a`b",
    ),
  ).toBe("CREATE DATABASE `a``b` /*!40100 DEFAULT CHARACTER SET latin1 */ /*!80016 DEFAULT ENCRYPTION='N' */");
});

test.each([
  ["GRANT SELECT ON `shop`.* TO `shop`@`%`", "GRANT SELECT ON `new``shop`.* TO `shop`@`%`"],
  [
    "GRANT SELECT (`shop`), INSERT ON `shop`.`t` TO `u`@`h`",
    "GRANT SELECT (`shop`), INSERT ON `new``shop`.`t` TO `u`@`h`",
  ],
  ["GRANT SELECT ON `shop`.`orders` TO `u`@`h`", "GRANT SELECT ON `archive`.`old orders` TO `u`@`h`"],
  [
    "GRANT EXECUTE ON PROCEDURE `shop`.`orders` TO `u`@`h`",
    "GRANT EXECUTE ON PROCEDURE `new``shop`.`orders` TO `u`@`h`",
  ],
  [
    "GRANT ALL PRIVILEGES ON *.* TO `shop`@`%` WITH GRANT OPTION",
    "GRANT ALL PRIVILEGES ON *.* TO `shop`@`%` WITH GRANT OPTION",
  ],
  ["GRANT `shop`@`%` TO `u`@`h`", "GRANT `shop`@`%` TO `u`@`h`"],
  ["GRANT PROXY ON `shop`@`%` TO `u`@`h`", "GRANT PROXY ON `shop`@`%` TO `u`@`h`"],
  ["GRANT SELECT ON `sho%`.* TO `u`@`h`", "GRANT SELECT ON `sho%`.* TO `u`@`h`"],
])("%s becomes %s", (grant, renamed) => {
  expect(renameGrant(grant, mapping)).toBe(renamed);
});
