import type { Connection } from "mysql2/promise";
import { seededRandom } from "./random.ts";

/*
 * A workload that is the same for the same seed, of everything that a log can hold: rows of several tables in transactions,
 * savepoints, statements in statement format with what they read of their session, DDL, foreign keys, triggers, XA,
 * compressed transactions.
 */

const SCHEMA = `
CREATE DATABASE work;
USE work;
CREATE TABLE parent (id INT PRIMARY KEY, name VARCHAR(50), amount DECIMAL(12, 4)) CHARACTER SET utf8mb4;
CREATE TABLE child (id INT PRIMARY KEY AUTO_INCREMENT, parent_id INT, note TEXT, at DATETIME(6),
  FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE event_log (id BIGINT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(200), who VARCHAR(100), doc JSON, at TIMESTAMP(6) NULL);
CREATE TABLE no_key (a INT, b VARCHAR(20) CHARACTER SET latin1);
CREATE TABLE plain (a INT, b VARCHAR(100)) ENGINE = MyISAM;
CREATE TABLE twin_a (id INT PRIMARY KEY AUTO_INCREMENT, n INT);
CREATE TABLE twin_b LIKE twin_a;
CREATE TABLE trigger_log (what VARCHAR(100));
CREATE TRIGGER child_added AFTER INSERT ON child FOR EACH ROW INSERT INTO trigger_log (what) VALUES (CONCAT('child of ', IFNULL(NEW.parent_id, 0)));
`;

/** Makes the schema and runs `steps` random steps; a statement that the server refuses is a step too. */
export async function runWorkload(connection: Connection, seed: number, steps: number): Promise<void> {
  await connection.query(SCHEMA);
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  for (let step = 0; step < steps; step++) {
    for (const statement of makeStep(below, step)) await tryTo(connection, statement);
  }
}

type Below = (limit: number) => number;

async function tryTo(connection: Connection, statement: string): Promise<void> {
  try {
    await connection.query(statement);
  } catch (error: unknown) {
    // Refused for what the steps before it did: a duplicate, a missing table or column.
    if (!(error instanceof Error && "errno" in error)) throw error;
  }
}

function makeStep(below: Below, step: number): string[] {
  const kind = below(100);
  if (kind < 45) return makeTransaction(below);
  if (kind < 55) return [makeChange(below)];
  if (kind < 70) return ["SET binlog_format = 'STATEMENT'", ...makeStatementFormat(below), "SET binlog_format = 'ROW'"];
  if (kind < 88) return [makeDefinition(below, step)];
  if (kind < 92) return makeXa(below, step);
  if (kind < 96) {
    return [
      "SET binlog_transaction_compression = ON",
      ...makeTransaction(below),
      "SET binlog_transaction_compression = OFF",
    ];
  }
  return ["FLUSH TABLES"];
}

function makeTransaction(below: Below): string[] {
  const changes = Array.from({ length: 1 + below(6) }, () => makeChange(below));
  if (below(4) === 0) changes.push("SAVEPOINT s", makeChange(below), "ROLLBACK TO s", makeChange(below));
  return ["BEGIN", ...changes, below(10) === 0 ? "ROLLBACK" : "COMMIT"];
}

function makeChange(below: Below): string {
  const id = below(60);
  const choices = [
    `INSERT INTO parent (id, name, amount) VALUES (${id}, 'p${id}', ${below(1000)}.5)`,
    `INSERT INTO child (parent_id, note, at) VALUES (${id}, REPEAT('é', ${below(50)}), NOW(6)), (NULL, 'none', NULL)`,
    `UPDATE parent SET amount = amount * 1.5 WHERE id < ${id}`,
    `UPDATE parent SET id = id + 1000 WHERE id = ${id}`,
    `DELETE FROM parent WHERE id = ${id}`,
    `DELETE FROM child WHERE id % 7 = ${below(7)} ORDER BY id LIMIT 5`,
    `INSERT INTO event_log (what, doc, at) VALUES ('x', JSON_OBJECT('n', ${id}), NOW(6))`,
    `UPDATE event_log SET doc = JSON_SET(doc, '$.n', ${id}) WHERE id % 5 = ${below(5)}`,
    `INSERT INTO no_key VALUES (${id}, 'ü'), (${id}, 'ü'), (${below(9)}, NULL)`,
    `DELETE FROM no_key WHERE a = ${id}`,
    `INSERT INTO plain VALUES (${id}, 'plain')`,
    `UPDATE no_key SET b = 'new' WHERE a < ${below(20)}`,
    `INSERT INTO twin_a (n) VALUES (${id}), (${id})`,
    `UPDATE twin_b SET n = n + 1 WHERE n < ${id}`,
  ];
  return choices[below(choices.length)] ?? "";
}

function makeStatementFormat(below: Below): string[] {
  const choices = [
    [
      `SET @name = 'näme', @n = ${below(100)} - 50, @d = ${below(100)}.125, @r = ${below(100)}e-3`,
      "INSERT INTO event_log (what, who) VALUES (CONCAT(@name, @n, '/', @d, '/', @r), RAND())",
    ],
    ["SET time_zone = '+05:30'", "INSERT INTO event_log (what, at) VALUES (NOW(6), NOW(6))", "SET time_zone = DEFAULT"],
    [
      "SET sql_mode = 'ANSI_QUOTES'",
      `UPDATE "parent" SET "name" = '' WHERE id = ${below(60)}`,
      "SET sql_mode = DEFAULT",
    ],
    [`INSERT INTO child (note) VALUES ('first'), ('second')`, "INSERT INTO event_log (what) VALUES (LAST_INSERT_ID())"],
    ["SET foreign_key_checks = 0", `DELETE FROM parent WHERE id = ${below(60)}`, "SET foreign_key_checks = 1"],
    [`DELETE FROM parent WHERE id = ${below(60)}`],
    [
      "CREATE TEMPORARY TABLE scratch (a INT)",
      "INSERT INTO scratch VALUES (1), (2)",
      "INSERT INTO no_key SELECT a, 'tmp' FROM scratch",
      "DROP TEMPORARY TABLE scratch",
    ],
    [
      "SET auto_increment_increment = 10",
      "INSERT INTO event_log (what) VALUES ('ten'), ('twenty')",
      "SET auto_increment_increment = 1",
    ],
    ["SET NAMES latin1", "INSERT INTO no_key VALUES (1, CONVERT(0xE9 USING latin1))", "SET NAMES utf8mb4"],
  ];
  return choices[below(choices.length)] ?? [];
}

function makeDefinition(below: Below, step: number): string {
  const column = `c${below(6)}`;
  const choices = [
    `ALTER TABLE parent ADD COLUMN ${column} INT DEFAULT ${below(9)}`,
    `ALTER TABLE parent DROP COLUMN ${column}`,
    `ALTER TABLE event_log ADD COLUMN ${column} VARCHAR(${10 + below(90)}) DEFAULT 'd' FIRST`,
    `ALTER TABLE event_log DROP COLUMN ${column}`,
    `ALTER TABLE no_key ADD INDEX (a)`,
    `CREATE INDEX i${below(4)} ON event_log (what)`,
    `DROP INDEX i${below(4)} ON event_log`,
    `CREATE TABLE extra_${below(4)} (id INT PRIMARY KEY, v VARCHAR(20))`,
    `DROP TABLE IF EXISTS extra_${below(4)}`,
    `CREATE TABLE copied_${step} AS SELECT * FROM no_key`,
    "RENAME TABLE twin_a TO twin_x, twin_b TO twin_a, twin_x TO twin_b",
    "RENAME TABLE no_key TO no_key_x, extra_1 TO no_key_y, no_key_x TO no_key, no_key_y TO extra_1",
    "TRUNCATE TABLE plain",
    `ALTER TABLE parent COMMENT = 'step ${step}', ENGINE = InnoDB`,
    "CREATE OR REPLACE VIEW seen AS SELECT id, name FROM parent",
    `CREATE PROCEDURE p${step}() SELECT ${step}`,
    "ANALYZE TABLE parent",
    `CREATE DATABASE IF NOT EXISTS work_${below(3)}`,
    `DROP DATABASE IF EXISTS work_${below(3)}`,
  ];
  return choices[below(choices.length)] ?? "";
}

function makeXa(below: Below, step: number): string[] {
  const id = `'work-${step}', 'b'`;
  const ends = [
    [`XA PREPARE ${id}`, `XA COMMIT ${id}`],
    [`XA PREPARE ${id}`, `XA ROLLBACK ${id}`],
    [`XA COMMIT ${id} ONE PHASE`],
  ];
  return [`XA START ${id}`, makeChange(below), makeChange(below), `XA END ${id}`, ...(ends[below(3)] ?? [])];
}
