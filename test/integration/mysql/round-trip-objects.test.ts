import type { Connection, RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RestoreReport } from "../../../lib/sources/engine.ts";
import { compareMysql } from "../../../lib/sources/mysql/compare.ts";
import { finishRestore } from "../../../lib/sources/mysql/finish.ts";
import { restoreMysql } from "../../../lib/sources/mysql/restore.ts";
import { eventually } from "../../support/eventually.ts";
import { readCatalogue } from "../../support/mysql-catalogue.ts";
import { backUp, restoreRequest } from "../../support/mysql-engine.ts";
import { readValues } from "../../support/mysql-values.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";

const ODD = String.raw`o.d'd "na${"``"}me\ ñ日 ` + "x";
const SCHEMAS = ["shop", "back office", ODD.replaceAll("``", "`")];
const KEYWORDS = "KEY `x` (`y`), CONSTRAINT `z` FOREIGN KEY (a) REFERENCES b (c)) ENGINE=MyISAM /* not */ -- a comment";

const SCRIPT = [
  "CREATE DATABASE shop CHARACTER SET utf8mb4",
  "CREATE DATABASE `back office` CHARACTER SET latin1",
  `CREATE DATABASE \`${ODD}\` COLLATE utf8mb4_bin`,
  "CREATE USER maker@localhost, 'ma@ker'@'%'",
  "GRANT ALL ON *.* TO maker@localhost",
  "USE shop",

  // keys of every kind, and comments that look like them
  `CREATE TABLE indexes (id INT UNSIGNED NOT NULL AUTO_INCREMENT, a VARCHAR(200) NOT NULL COMMENT '${KEYWORDS}', b INT DEFAULT (1 + 2), c JSON, t TEXT, u TEXT,
     p POINT NOT NULL SRID 0, e ENUM('),KEY (', 'x') DEFAULT '),KEY (', PRIMARY KEY (id), UNIQUE KEY \`un,ique\` (b, a(3)), KEY prefix (a(10), t(20)), KEY falling (b DESC, id),
     KEY hidden (b) COMMENT '${KEYWORDS}' INVISIBLE, KEY computed ((UPPER(a)), (b + 1) DESC), KEY many ((CAST(c->'$.tags' AS CHAR(20) ARRAY))), SPATIAL KEY place (p),
     FULLTEXT KEY words (t), FULLTEXT KEY grams (u, t) WITH PARSER ngram, CONSTRAINT positive CHECK (b > 0), CONSTRAINT lax CHECK (a <> 'x, (y') NOT ENFORCED)
     AUTO_INCREMENT = 5000 COMMENT = '${KEYWORDS}'`,
  `INSERT INTO indexes (a, b, c, t, u, p) VALUES ('one', 1, '{"tags": ["x", "y"]}', 'quick brown fox', 'lazy dog', POINT(1, 1)), ('two', 2, '{"tags": []}', NULL, NULL, POINT(2, 2))`,
  "CREATE TABLE counter_second (a INT NOT NULL, n INT NOT NULL AUTO_INCREMENT, b INT, KEY first (b), KEY counter (n), KEY last (a, b))",
  "INSERT INTO counter_second (a, b) VALUES (1, 2), (1, 3)",
  "CREATE TABLE counter_ahead (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, v INT)",
  "INSERT INTO counter_ahead (id, v) VALUES (0, 1), (100, 2)",
  "DELETE FROM counter_ahead WHERE id = 100",
  "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
  "INSERT INTO counter_ahead VALUES (0, 0)",
  "SET SESSION sql_mode = DEFAULT",
  "CREATE TABLE empty_counter (id INT AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 77",
  "CREATE TABLE empty_table (a INT, b VARCHAR(10))",
  "CREATE TABLE no_key (a INT, b VARCHAR(10)); INSERT INTO no_key VALUES (1, 'x'), (1, 'x'), (NULL, NULL)",
  "CREATE TABLE unique_only (a INT NOT NULL, b INT, UNIQUE KEY later (b), UNIQUE KEY earlier (a), KEY (b, a)); INSERT INTO unique_only VALUES (3, 1), (1, 2)",
  "SET SESSION sql_generate_invisible_primary_key = ON",
  "CREATE TABLE made_key (a INT, KEY (a))",
  "SET SESSION sql_generate_invisible_primary_key = OFF",
  "INSERT INTO made_key VALUES (5), (5)",
  "CREATE TABLE string_key (k VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, d DECIMAL(20,5)); INSERT INTO string_key VALUES ('a', 1), ('A', 2), ('', 3), ('é', 4)",
  "CREATE TABLE decimal_key (k DECIMAL(30,10), s VARCHAR(5), v INT, PRIMARY KEY (k, s DESC)); INSERT INTO decimal_key VALUES (1.5, 'a', 1), (1.5, 'b', 2), (-3.25, '', 3)",
  "CREATE TABLE packed (id INT PRIMARY KEY, t TEXT) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8 STATS_PERSISTENT=1; INSERT INTO packed VALUES (1, REPEAT('x', 5000))",
  "CREATE TABLE computed (id INT PRIMARY KEY, a INT, v INT AS (a + 1) VIRTUAL UNIQUE, s VARCHAR(30) AS (CONCAT('`back office`.x ', a)) STORED INVISIBLE, h INT INVISIBLE, KEY (s)); INSERT INTO computed (id, a, h) VALUES (1, 2, 3)",

  // partitions
  `CREATE TABLE ranged (id INT, y INT, PRIMARY KEY (id, y)) PARTITION BY RANGE (y) SUBPARTITION BY HASH (id) SUBPARTITIONS 2
     (PARTITION \`p,0\` VALUES LESS THAN (2000) COMMENT = 'old, (very)', PARTITION p1 VALUES LESS THAN MAXVALUE)`,
  "INSERT INTO ranged VALUES (1, 1999), (2, 2001)",
  "CREATE TABLE listed (c VARCHAR(10), n INT, KEY (n)) PARTITION BY LIST COLUMNS (c) (PARTITION a VALUES IN ('x', 'y'), PARTITION b VALUES IN ('z'))",
  "INSERT INTO listed VALUES ('x', 1), ('z', 2)",
  "CREATE TABLE hashed (id INT PRIMARY KEY, v INT, KEY (v)) PARTITION BY KEY (id) PARTITIONS 3; INSERT INTO hashed VALUES (1, 1), (2, 2), (3, 3)",

  // foreign keys: a cycle, a self reference, across schemas, parents that sort after their children
  "SET SESSION foreign_key_checks = 0",
  "CREATE TABLE a_team (id INT PRIMARY KEY, leader INT, CONSTRAINT `team,leader` FOREIGN KEY (leader) REFERENCES b_person (id) ON DELETE SET NULL ON UPDATE CASCADE)",
  "CREATE TABLE b_person (id INT PRIMARY KEY, team INT, boss INT, FOREIGN KEY (team) REFERENCES a_team (id), FOREIGN KEY (boss) REFERENCES b_person (id) ON DELETE CASCADE)",
  `CREATE TABLE \`back office\`.audit (id INT PRIMARY KEY, person INT, odd VARCHAR(30), FOREIGN KEY (person) REFERENCES shop.b_person (id), CONSTRAINT odd_one FOREIGN KEY (odd) REFERENCES \`${ODD}\`.\`${ODD}\` (\`${ODD}\`)) COLLATE utf8mb4_bin`,
  `CREATE TABLE \`${ODD}\`.\`${ODD}\` (\`${ODD}\` VARCHAR(30) PRIMARY KEY, \`KEY\` INT, INDEX \`${ODD}\` (\`KEY\`), CONSTRAINT \`c ${ODD}\` CHECK (\`KEY\` <> 5))`,
  "INSERT INTO a_team VALUES (1, 10), (2, NULL); INSERT INTO b_person VALUES (10, 1, NULL), (11, 1, 10); INSERT INTO `back office`.audit VALUES (1, 11, 'o')",
  `INSERT INTO \`${ODD}\`.\`${ODD}\` VALUES ('o', 1)`,
  "SET SESSION foreign_key_checks = 1",

  // views on views, named so that the alphabet is no help; functions, security, check option
  "CREATE FUNCTION double_it(n INT) RETURNS INT DETERMINISTIC COMMENT 'a ''quoted'' comment' RETURN n * 2",
  "CREATE DEFINER = maker@localhost SQL SECURITY INVOKER VIEW z_base AS SELECT id, a, double_it(b) AS d FROM indexes WHERE a <> 'it''s `back office`'",
  "CREATE ALGORITHM = MERGE VIEW m_middle (x, y) AS SELECT id, d FROM z_base WHERE d > 0 WITH CASCADED CHECK OPTION",
  "CREATE VIEW a_top AS WITH t AS (SELECT x FROM m_middle) SELECT t.x, o.id FROM t JOIN `back office`.audit o",
  `CREATE VIEW \`${ODD}\`.\`v ${ODD}\` AS SELECT \`${ODD}\` FROM \`${ODD}\`.\`${ODD}\``,
  "SET NAMES latin1",
  "CREATE VIEW latin_view AS SELECT 'abc' AS c",
  "SET NAMES utf8mb4",

  // programs under session states of their own
  "CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(50), n INT)",
  "CREATE TRIGGER t_second BEFORE INSERT ON no_key FOR EACH ROW INSERT INTO log (what) VALUES ('second')",
  "CREATE TRIGGER t_first BEFORE INSERT ON no_key FOR EACH ROW PRECEDES t_second INSERT INTO log (what) VALUES ('first ''ñ')",
  "CREATE DEFINER = maker@localhost TRIGGER t_third BEFORE INSERT ON no_key FOR EACH ROW FOLLOWS t_second INSERT INTO log (what) VALUES ('third')",
  "CREATE TRIGGER t_after AFTER UPDATE ON no_key FOR EACH ROW BEGIN IF NEW.a > 1 THEN INSERT INTO log (what, n) VALUES ('after', NEW.a); END IF; END",
  `SET SESSION sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'`,
  `CREATE TRIGGER "odd ""trigger""" BEFORE DELETE ON "no_key" FOR EACH ROW INSERT INTO "log" ("what") VALUES ('a' || 'b')`,
  `SET SESSION sql_mode = DEFAULT`,
  `CREATE TRIGGER \`${ODD}\`.\`t ${ODD}\` BEFORE UPDATE ON \`${ODD}\`.\`${ODD}\` FOR EACH ROW SET NEW.\`KEY\` = 7`,
  "CREATE PROCEDURE double_it(IN a INT, OUT b VARCHAR(20) CHARACTER SET latin1, INOUT c DECIMAL(5,2)) READS SQL DATA SQL SECURITY INVOKER BEGIN /* ; */ SELECT 'ñ; -- ' INTO b; END",
  "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'",
  "CREATE PROCEDURE plain_backslash() SELECT 'a\\', \"b\\\"",
  "SET SESSION sql_mode = DEFAULT",
  "SET SESSION sql_mode = 'ANSI_QUOTES'",
  "CREATE DEFINER = 'ma@ker'@'%' FUNCTION \"odd \"\"function\"\"\"(s TEXT) RETURNS TEXT NO SQL RETURN CONCAT(s, 'x')",
  "SET SESSION sql_mode = DEFAULT",
  "USE `back office`",
  "CREATE PROCEDURE old_default(s VARCHAR(10)) SELECT s",
  "USE shop",
  "ALTER DATABASE `back office` COLLATE latin1_bin",

  "CREATE EVENT every_day ON SCHEDULE EVERY 1 DAY STARTS '2020-01-01 03:00:00' ON COMPLETION PRESERVE ENABLE COMMENT 'ENABLE me' DO INSERT INTO log (what) VALUES ('day')",
  "CREATE EVENT switched_off ON SCHEDULE EVERY 2 HOUR DISABLE DO DELETE FROM log",
  "CREATE EVENT on_replica ON SCHEDULE AT '2037-01-01 00:00:00' DISABLE ON REPLICA DO DELETE FROM log",
  "SET SESSION time_zone = '+02:00', sql_mode = 'ANSI_QUOTES'",
  "CREATE DEFINER = maker@localhost EVENT elsewhere ON SCHEDULE EVERY 1 MINUTE STARTS '2036-05-05 12:00:00' ENDS '2037-01-01' DO INSERT INTO \"log\" (\"what\") VALUES ('x')",
  "SET SESSION time_zone = DEFAULT, sql_mode = DEFAULT",
  "CREATE EVENT soon_over ON SCHEDULE AT CURRENT_TIMESTAMP + INTERVAL 2 SECOND DO DELETE FROM log",
];

let source: TestMysql;
let target: TestMysql;
let before: Connection;
let after: Connection;
let report: RestoreReport;
let statusesBeforeFinish: string[];

beforeAll(async () => {
  [source, target] = await Promise.all([
    startTestMysql({ event_scheduler: "OFF" }),
    startTestMysql({
      event_scheduler: "OFF",
      default_time_zone: "+05:30",
      sql_mode: "ANSI_QUOTES",
      character_set_server: "latin1",
    }),
  ]);
  before = await connectTo(source);
  after = await connectTo(target);
  for (const statement of SCRIPT) await before.query(statement);
  const backup = await backUp(source.url, { users: true });
  const isOver = async (): Promise<boolean> => {
    const [[row]] = await before.query<RowDataPacket[]>(
      "SELECT execute_at < NOW() AS passed FROM information_schema.events WHERE event_name = 'soon_over'",
    );
    return row?.["passed"] === 1;
  };
  await eventually(isOver, { describe: "the time of the event to pass" });
  const request = restoreRequest(target.url, { users: true });
  report = await restoreMysql(request, backup);
  const [events] = await after.query<RowDataPacket[]>("SELECT status FROM information_schema.events");
  statusesBeforeFinish = events.map(({ STATUS, status }) => String(status ?? STATUS));
  expect((await compareMysql(request, backup)).filter(({ ok }) => !ok)).toEqual([]);
  await finishRestore(request, backup);
});

afterAll(async () => {
  await Promise.all([before?.end(), after?.end()]);
  await Promise.all([source?.stop(), target?.stop()]);
});

describe("a round trip of definitions", () => {
  test("brings everything that information_schema shows back as it was", async () => {
    for (const connection of [before, after]) await connection.query("DROP EVENT shop.soon_over");
    const expected = await readCatalogue(before, SCHEMAS);
    expect(expected.length).toBeGreaterThan(200);
    expect(await readCatalogue(after, SCHEMAS)).toEqual(expected);
  });

  test("lists the one event whose time has passed, and the account that was there", () => {
    expect(report.notCarriedOver).toEqual([
      { object: "account `root`@`localhost`", reason: "the target has an account of that name; it was left as it is" },
      { object: "event `shop`.`soon_over`", reason: "its time has passed since the backup: it is there, disabled" },
    ]);
  });

  test("keeps every event disabled until the restore is finished", () => {
    expect(statusesBeforeFinish).toHaveLength(5);
    expect(new Set(statusesBeforeFinish)).toEqual(new Set(["DISABLED"]));
  });

  test("brings rows back without firing triggers", async () => {
    const [rows] = await before.query<RowDataPacket[]>(
      "SELECT table_schema AS s, table_name AS n FROM information_schema.tables WHERE table_schema IN (?) AND table_type = 'BASE TABLE'",
      [SCHEMAS],
    );
    expect(rows).toHaveLength(20);
    for (const { s, n } of rows) {
      expect(await readValues(after, String(s), String(n))).toEqual(await readValues(before, String(s), String(n)));
    }
  });

  test("fires triggers in their order, under the session state that they were made in", async () => {
    await after.query("INSERT INTO shop.no_key VALUES (9, 'y'); DELETE FROM shop.no_key WHERE a = 9");
    const [rows] = await after.query<RowDataPacket[]>("SELECT what FROM shop.log ORDER BY id");
    expect(rows.map(({ what }) => what)).toEqual(["first 'ñ", "second", "third", "ab"]);
  });

  test("gives the next counter values that the source would give", async () => {
    const sql =
      "INSERT INTO shop.empty_counter VALUES (); INSERT INTO shop.counter_ahead (v) VALUES (1); INSERT INTO shop.counter_second (a) VALUES (1)";
    const read =
      "SELECT (SELECT MAX(id) FROM shop.empty_counter) AS e, (SELECT MAX(id) FROM shop.counter_ahead) AS a, (SELECT MAX(n) FROM shop.counter_second) AS s";
    for (const connection of [before, after]) await connection.query(sql);
    const [[expected], [found]] = [await before.query(read), await after.query(read)];
    expect(found).toEqual(expected);
    expect(found).toEqual([{ e: 77, a: 101, s: 3 }]);
  });

  test("answers queries through views on views", async () => {
    const sql = "SELECT * FROM shop.a_top";
    const [[expected], [found]] = [await before.query(sql), await after.query(sql)];
    expect(found).toEqual(expected);
    expect(found).toHaveLength(2);
  });

  test("leaves no record of itself on the target", async () => {
    const [rows] = await after.query("SHOW DATABASES LIKE 'resguardo%'");
    expect(rows).toEqual([]);
  });

  test("brings accounts back with their grants", async () => {
    const read = async (connection: Connection): Promise<unknown[]> => {
      const answers: unknown[] = [];
      for (const account of ["maker@localhost", "'ma@ker'@'%'"]) {
        answers.push(
          (await connection.query(`SHOW GRANTS FOR ${account}`))[0],
          (await connection.query(`SHOW CREATE USER ${account}`))[0],
        );
      }
      return answers;
    };
    expect(await read(after)).toEqual(await read(before));
  });
});
