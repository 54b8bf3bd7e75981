import type { Connection, RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RestoreRequest } from "../../../lib/sources/engine.ts";
import { compareMysql } from "../../../lib/sources/mysql/compare.ts";
import { finishRestore, removeRestored } from "../../../lib/sources/mysql/finish.ts";
import { planMysqlRestore } from "../../../lib/sources/mysql/plan.ts";
import { restoreMysql } from "../../../lib/sources/mysql/restore.ts";
import type { MemoryBackup } from "../../support/memory-backup.ts";
import { backUp, restoreRequest } from "../../support/mysql-engine.ts";
import { readValues } from "../../support/mysql-values.ts";
import { connectTo, createUser, startTestMysql, type TestMysql } from "../../support/mysql.ts";

const SCRIPT = [
  "CREATE DATABASE shop",
  "CREATE DATABASE stock",
  "USE shop",
  "CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(50), CONSTRAINT named CHECK (name <> ''))",
  `CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, customer INT, item INT, shop INT, KEY (customer), KEY (item),
     CONSTRAINT buyer FOREIGN KEY (customer) REFERENCES customers (id), CONSTRAINT positive CHECK (shop <> 5))`,
  "CREATE TABLE stock.items (id INT PRIMARY KEY, sku VARCHAR(20))",
  "ALTER TABLE orders ADD CONSTRAINT bought FOREIGN KEY (item) REFERENCES stock.items (id)",
  "INSERT INTO customers VALUES (1, 'Ana'), (2, 'Zoé')",
  "INSERT INTO stock.items VALUES (7, 'a'), (8, 'b')",
  "INSERT INTO orders (customer, item) VALUES (1, 7), (2, 8), (2, NULL)",
  "CREATE VIEW order_list AS SELECT o.id, c.name, i.sku FROM orders o JOIN customers c ON c.id = o.customer LEFT JOIN stock.items i ON i.id = o.item",
  "CREATE VIEW named_like_schema AS SELECT shop.id FROM orders shop",
  "CREATE VIEW total AS SELECT COUNT(*) AS n FROM order_list",
  "CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW SET NEW.shop = 1",
  "CREATE TRIGGER reaches_back AFTER INSERT ON orders FOR EACH ROW INSERT INTO shop.customers VALUES (NEW.id, 'x')",
  "CREATE PROCEDURE local_only() SELECT COUNT(*) FROM orders",
  "CREATE PROCEDURE by_name() SELECT * FROM `shop`.orders",
  "CREATE PROCEDURE by_text() BEGIN SET @s = 'DELETE FROM shop.orders'; PREPARE p FROM @s; EXECUTE p; END",
  "CREATE EVENT sweep ON SCHEDULE EVERY 1 DAY DO DELETE FROM orders WHERE id < 0",
];

const RENAME = new Map([["shop", "shop_before"]]);

let source: TestMysql;
let target: TestMysql;
let before: Connection;
let after: Connection;
let backup: MemoryBackup;

beforeAll(async () => {
  [source, target] = await Promise.all([
    startTestMysql({ event_scheduler: "OFF" }),
    startTestMysql({ event_scheduler: "OFF", log_bin_trust_function_creators: "ON" }),
  ]);
  before = await connectTo(source);
  after = await connectTo(target);
  for (const statement of SCRIPT) await before.query(statement);
  backup = await backUp(source.url);
});

afterAll(async () => {
  await Promise.all([before?.end(), after?.end()]);
  await Promise.all([source?.stop(), target?.stop()]);
});

async function schemasOf(connection: Connection): Promise<string[]> {
  const [rows] = await connection.query<RowDataPacket[]>(
    "SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') ORDER BY 1",
  );
  return rows.map(({ name }) => String(name));
}

async function objectsOf(connection: Connection, schema: string): Promise<string[]> {
  const [rows] = await connection.query<RowDataPacket[]>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ? UNION SELECT CONCAT('trigger ', trigger_name) FROM information_schema.triggers WHERE trigger_schema = ?
     UNION SELECT CONCAT('routine ', routine_name) FROM information_schema.routines WHERE routine_schema = ? UNION SELECT CONCAT('event ', event_name) FROM information_schema.events WHERE event_schema = ?
     UNION SELECT CONCAT('key ', constraint_name, ' -> ', unique_constraint_schema, '.', referenced_table_name) FROM information_schema.referential_constraints WHERE constraint_schema = ? ORDER BY 1`,
    Array.from({ length: 5 }, () => schema),
  );
  return rows.map(({ name }) => String(name));
}

/** Restores, expects no difference, and finishes. Returns what was not carried over. */
async function restore(request: RestoreRequest) {
  const report = await restoreMysql(request, backup);
  expect((await compareMysql(request, backup)).filter(({ ok }) => !ok)).toEqual([]);
  await finishRestore(request, backup);
  return report.notCarriedOver;
}

describe("on an empty server", () => {
  beforeEach(async () => {
    for (const name of await schemasOf(after))
      await after.query(`SET foreign_key_checks = 0; DROP DATABASE \`${name}\``);
  });

  test("restores one schema, and lists what needs another one that is not there", async () => {
    const request = restoreRequest(target.url, { only: ["shop"] });
    const report = await restoreMysql(request, backup);
    expect(report.notCarriedOver).toEqual([
      {
        object: "foreign key `bought` of `shop`.`orders`",
        reason: "it refers to `stock`.`items`, which is neither restored nor there",
      },
      { object: "view `shop`.`order_list`", reason: "the target refused it: server error 1049 (ER_BAD_DB_ERROR)" },
      { object: "view `shop`.`total`", reason: "the target refused it: server error 1146 (ER_NO_SUCH_TABLE)" },
    ]);
    const differing = (await compareMysql(request, backup)).filter(({ ok }) => !ok);
    expect(differing.map(({ name, found }) => [name, found])).toEqual([
      ["view `shop`.`order_list`", "absent"],
      ["view `shop`.`total`", "absent"],
    ]);
    expect(await schemasOf(after)).toEqual([expect.stringMatching(/^resguardo_restore_[0-9a-f]{16}$/), "shop"]);
  });

  test("restores one table with its rows, keys and triggers, and nothing else", async () => {
    const left = await restore(restoreRequest(target.url, { only: ["shop.orders"] }));
    expect(left.map(({ object }) => object)).toEqual([
      "foreign key `bought` of `shop`.`orders`",
      "foreign key `buyer` of `shop`.`orders`",
    ]);
    expect(await schemasOf(after)).toEqual(["shop"]);
    expect(await objectsOf(after, "shop")).toEqual(["orders", "trigger reaches_back", "trigger stamp"]);
    expect(await readValues(after, "shop", "orders")).toEqual(await readValues(before, "shop", "orders"));
  });

  test("restores a schema under a new name and lists each body that names the old one", async () => {
    const left = await restore(restoreRequest(target.url, { rename: RENAME }));
    expect(left).toEqual([
      { object: "procedure `shop_before`.`by_name`", reason: "its body names the schema `shop`" },
      { object: "procedure `shop_before`.`by_text`", reason: "its body names the schema `shop`" },
      {
        object: "view `shop_before`.`named_like_schema`",
        reason: "`shop` is the name of a schema and of something else in its text",
      },
      { object: "trigger `shop_before`.`reaches_back`", reason: "its body names the schema `shop`" },
    ]);
    expect(await schemasOf(after)).toEqual(["shop_before", "stock"]);
    expect(await objectsOf(after, "shop_before")).toEqual([
      "customers",
      "event sweep",
      "key bought -> stock.items",
      "key buyer -> shop_before.customers",
      "order_list",
      "orders",
      "routine local_only",
      "total",
      "trigger stamp",
    ]);
    const [rows] = await after.query("SELECT * FROM shop_before.total");
    expect(rows).toEqual([{ n: 3 }]);
  });

  test("refuses a table that the backup does not have", async () => {
    const request = restoreRequest(target.url, { only: ["shop.nothing"] });
    await expect(restoreMysql(request, backup)).rejects.toMatchObject({ code: "TABLE_UNKNOWN" });
    await expect(restoreMysql({ ...request, only: ["nothing"] }, backup)).rejects.toMatchObject({
      code: "TABLE_UNKNOWN",
    });
    expect(await schemasOf(after)).toEqual([]);
  });

  test("refuses two objects under one name, and names that can't be", async () => {
    const merge = restoreRequest(target.url, {
      rename: new Map([
        ["shop", "one"],
        ["stock", "one"],
      ]),
    });
    await expect(restoreMysql(merge, backup)).rejects.toMatchObject({ code: "USAGE" });
    const system = restoreRequest(target.url, { rename: new Map([["shop", "mysql"]]) });
    await expect(restoreMysql(system, backup)).rejects.toMatchObject({ code: "USAGE" });
  });

  test("tells in a dry run what a restore would do, and changes nothing", async () => {
    const plan = await planMysqlRestore(restoreRequest(target.url, { rename: RENAME }), backup);
    expect(plan).toMatchObject({
      schemas: [
        { from: "shop", to: "shop_before", tables: 2, rows: 5 },
        { from: "stock", to: "stock", tables: 1, rows: 2 },
      ],
      tables: 3,
      rows: 7,
      plainBytes: backup.manifest.totals.plainBytes,
      storedBytes: backup.manifest.totals.storedBytes,
    });
    expect(plan.notCarriedOver).toHaveLength(4);
    expect(plan.findings.filter(({ ok }) => ok === false)).toEqual([]);
    expect(plan.findings.map(({ setting }) => setting)).toContain("local_infile");
    expect(await schemasOf(after)).toEqual([]);
  });

  test("removes exactly what an unfinished restore made", async () => {
    await after.query("CREATE DATABASE other; CREATE TABLE other.kept (id INT)");
    const request = restoreRequest(target.url, { rename: RENAME });
    await restoreMysql(request, backup);
    await after.query(
      "CREATE TABLE shop_before.from_somebody_else (id INT); CREATE PROCEDURE shop_before.by_name() SELECT 1",
    );
    await removeRestored(request, backup);
    expect(await schemasOf(after)).toEqual(["other", "shop_before"]);
    expect(await objectsOf(after, "shop_before")).toEqual(["from_somebody_else", "routine by_name"]);
    await removeRestored(request, backup);
    expect(await objectsOf(after, "other")).toEqual(["kept"]);
  });

  test("takes nothing away after the restore was finished", async () => {
    const request = restoreRequest(target.url);
    await restore(request);
    await removeRestored(request, backup);
    expect(await schemasOf(after)).toEqual(["shop", "stock"]);
  });

  test("refuses to restore into a schema that holds other things, unless it is told to", async () => {
    await after.query("CREATE DATABASE shop; CREATE TABLE shop.other (id INT); INSERT INTO shop.other VALUES (1)");
    const request = restoreRequest(target.url);
    await expect(restoreMysql(request, backup)).rejects.toMatchObject({ code: "TARGET_NOT_EMPTY" });
    expect(await schemasOf(after)).toEqual(["shop"]);
    await restore({ ...request, intoNonEmpty: true });
    expect(await objectsOf(after, "shop")).toContain("other");
  });

  test.each([
    ["a table", "CREATE TABLE shop.orders (id INT)", "table `shop`.`orders`"],
    ["a view", "CREATE VIEW shop.total AS SELECT 1", "view `shop`.`total`"],
    ["a procedure", "CREATE PROCEDURE shop.by_name() SELECT 1", "procedure `shop`.`by_name`"],
    ["an event", "CREATE EVENT shop.sweep ON SCHEDULE EVERY 1 DAY DO SELECT 1", "event `shop`.`sweep`"],
    [
      "a trigger",
      "CREATE TABLE shop.t (id INT); CREATE TRIGGER shop.stamp BEFORE INSERT ON shop.t FOR EACH ROW SET @x = 1",
      "trigger `shop`.`stamp`",
    ],
  ])(
    "refuses, also when told to go beside others, where %s has a name that would be restored",
    async (_, sql, object) => {
      await after.query(`CREATE DATABASE shop; ${sql}`);
      const request = restoreRequest(target.url, { intoNonEmpty: true });
      await expect(restoreMysql(request, backup)).rejects.toMatchObject({
        code: "TARGET_NOT_EMPTY",
        message: expect.stringContaining(object),
      });
      expect(await schemasOf(after)).toEqual(["shop"]);
    },
  );

  test("names each missing privilege and changes nothing", async () => {
    const url = await createUser(target, ["SELECT, INSERT ON shop.*"]);
    await expect(restoreMysql(restoreRequest(url), backup)).rejects.toMatchObject({
      code: "SOURCE_GRANT_MISSING",
      message: expect.stringMatching(
        /CREATE, ALTER, INDEX, DROP, .*TRIGGER, EVENT ON `shop`\.\*.* ON `stock`\.\*.*resguardo\\_restore\\_%.*SET_ANY_DEFINER ON \*\.\*/,
      ),
    });
    expect(await schemasOf(after)).toEqual([]);
  });

  test("works with no more privileges than it names", async () => {
    const url = await createUser(target, [
      "SELECT, INSERT, CREATE, ALTER, INDEX, DROP, REFERENCES, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, TRIGGER, EVENT ON shop.*",
      "SELECT, INSERT, CREATE, ALTER, INDEX, DROP, REFERENCES, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, TRIGGER, EVENT ON stock.*",
      "SELECT, INSERT, UPDATE, CREATE, DROP ON `resguardo\\\\_restore\\\\_%`.*".replaceAll("\\\\", "\\"),
      "SET_ANY_DEFINER, SYSTEM_USER ON *.*",
      "SELECT ON mysql.*",
    ]);
    const request = restoreRequest(url);
    await after.query("SET GLOBAL log_bin_trust_function_creators = OFF");
    await expect(restoreMysql(request, backup)).rejects.toMatchObject({
      code: "TARGET_UNSUITABLE",
      message: expect.stringContaining("log_bin_trust_function_creators is OFF"),
    });
    await after.query("SET GLOBAL log_bin_trust_function_creators = ON");
    await restoreMysql(request, backup);
    await finishRestore(request, backup);
    expect(await objectsOf(after, "shop")).toEqual(await objectsOf(before, "shop"));
  });
});

describe("on the live server itself", () => {
  beforeEach(async () => {
    for (const name of await schemasOf(before)) {
      if (name !== "shop" && name !== "stock")
        await before.query(`SET foreign_key_checks = 0; DROP DATABASE \`${name}\``);
    }
  });

  test("refuses the names that are there", async () => {
    await expect(restoreMysql(restoreRequest(source.url), backup)).rejects.toMatchObject({ code: "TARGET_IS_SOURCE" });
    const told = restoreRequest(source.url, { intoNonEmpty: true });
    await expect(restoreMysql(told, backup)).rejects.toMatchObject({ code: "TARGET_NOT_EMPTY" });
  });

  test("restores a schema beside the live one, with keys among its own tables", async () => {
    await before.query("INSERT INTO shop.customers VALUES (50, 'since then')");
    const request = restoreRequest(source.url, { rename: RENAME, only: ["shop"] });
    const left = await restore(request);
    expect(left).toHaveLength(4);
    expect(await objectsOf(before, "shop_before")).toEqual(
      expect.arrayContaining(["key buyer -> shop_before.customers", "key bought -> stock.items"]),
    );
    const [rows] = await before.query(
      "SELECT (SELECT COUNT(*) FROM shop.customers) AS live, (SELECT COUNT(*) FROM shop_before.customers) AS restored",
    );
    expect(rows).toEqual([{ live: 3, restored: 2 }]);
  });

  test("restores a table under a new name in its own schema, with keys of new names to the live parents", async () => {
    const request = restoreRequest(source.url, {
      only: ["shop.orders"],
      rename: new Map([["shop.orders", "orders_before"]]),
      intoNonEmpty: true,
    });
    const left = await restore(request);
    expect(left).toEqual([
      { object: "trigger `shop`.`stamp`", reason: "its table got another name" },
      { object: "trigger `shop`.`reaches_back`", reason: "its table got another name" },
    ]);
    expect(await objectsOf(before, "shop")).toEqual(
      expect.arrayContaining([
        "orders_before",
        "key orders_before_ibfk_1 -> stock.items",
        "key orders_before_ibfk_2 -> shop.customers",
      ]),
    );
    expect(await readValues(before, "shop", "orders_before")).toEqual(await readValues(before, "shop", "orders"));
    await before.query("DROP TABLE shop.orders_before");
  });

  test("brings back a table that was dropped, and lists a key that its rows no longer fit", async () => {
    await before.query("DROP VIEW shop.order_list; DROP TABLE shop.orders; DELETE FROM stock.items WHERE id = 8");
    const request = restoreRequest(source.url, { only: ["shop.orders", "shop.order_list"], intoNonEmpty: true });
    const report = await restoreMysql(request, backup);
    await finishRestore(request, backup);
    expect(report.notCarriedOver).toEqual([
      {
        object: "foreign key `bought` of `shop`.`orders`",
        reason: "rows without a parent in `stock`.`items` of the target",
      },
    ]);
    const [rows] = await before.query("SELECT * FROM shop.total");
    expect(rows).toEqual([{ n: 3 }]);
  });
});
