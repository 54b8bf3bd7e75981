import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readChanges, type ChangesRequest } from "../../../lib/restore/changes.ts";
import type { MinuteChanges, TableChanges } from "../../../lib/sources/changes.ts";
import type { Context } from "../../../lib/vault/context.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

const SCHEMA = `CREATE DATABASE shop; CREATE DATABASE audit; USE shop;
  CREATE TABLE wide (id BIGINT PRIMARY KEY, a TINYINT, b SMALLINT UNSIGNED, c MEDIUMINT, d FLOAT, e DOUBLE, f DECIMAL(31, 11),
    g BIT(13), h DATE, i TIME(3), j DATETIME(6), k TIMESTAMP(2) NULL, l YEAR, m CHAR(255) CHARACTER SET utf8mb4, n VARCHAR(20),
    o VARCHAR(5000), p BINARY(7), q TEXT, r LONGBLOB, s JSON, t ENUM('x', 'y'), u SET('a', 'b', 'c'), v POINT, w VECTOR(3));
  CREATE TABLE tagged (id INT PRIMARY KEY, j JSON, INDEX zips ((CAST(j->'$.zips' AS UNSIGNED ARRAY))));
  CREATE TABLE notes (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(2000)); CREATE TABLE audit.lines (id INT PRIMARY KEY AUTO_INCREMENT)`;
const WIDE = `-1, 2, -3, 1.5, 2.5, 12345678901234567890.5, b'1010', '2026-01-02', '-12:34:56.789', '2026-01-02 03:04:05.678901',
  '2026-01-02 03:04:05.67', 2026, REPEAT('é', 255), 'n', REPEAT('o', 4000), 'p', REPEAT('q', 60000), REPEAT('r', 100000),
  '{"a": [1, 2, 3], "b": "text"}', 'y', 'a,c', ST_PointFromText('POINT(1 2)'), TO_VECTOR('[1,2,3]')`;

let server: TestMysql;
let workspace: Workspace;
let context: Context;

beforeAll(async () => {
  server = await startTestMysql();
  workspace = await makeWorkspace({ SHOP_URL: server.url });
  context = await workspace.open();
  await run(SCHEMA);
});
afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
  await server.stop();
});

async function run(sql: string): Promise<void> {
  await using connection = await connectTo(server);
  await connection.query(sql);
}

async function value(sql: string): Promise<string> {
  await using connection = await connectTo(server);
  const [rows] = await connection.query(`SELECT ${sql} AS found`);
  return String((rows as { found: unknown }[])[0]?.found);
}

/** Ships what is there, runs `sql`, ships that, and gives the instants around it. */
async function happened(sql: string): Promise<{ from: string; to: string }> {
  const instant = "DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ')";
  const from = await value(instant);
  await run(sql);
  const to = await value(instant);
  const { exitCode, stderr } = await workspace.run(["ship", "shop"]);
  if (exitCode !== 0) throw new Error(stderr);
  return { from, to };
}

const changes = (request: Partial<ChangesRequest>) =>
  readChanges(context, { source: "shop", tables: [], kinds: [], values: false, rows: 100, ...request });

/** Sums over minutes, for the clock may turn within a test. */
function totals(minutes: readonly (TableChanges & Partial<MinuteChanges>)[]): Record<string, number[]> {
  const found: Record<string, number[]> = {};
  for (const { table, inserted, updated, deleted, ddl, statements } of minutes) {
    const counts = [inserted, updated, deleted, ddl, statements];
    found[table] = counts.map((count, index) => count + (found[table]?.[index] ?? 0));
  }
  return found;
}

describe("what the log says of a stretch of time", () => {
  it("counts the rows of every type, of partial and minimal images and compressed transactions", async () => {
    const window = await happened(`USE shop;
      INSERT INTO wide VALUES (1, ${WIDE}), (2, ${WIDE}); INSERT INTO wide (id) VALUES (3), (4), (5);
      SET SESSION binlog_row_value_options = PARTIAL_JSON; UPDATE wide SET s = JSON_SET(s, '$.a[1]', 9), a = 7;
      SET SESSION binlog_row_value_options = '', binlog_row_image = MINIMAL; UPDATE wide SET n = 'changed' WHERE id < 4;
      DELETE FROM wide WHERE id > 3; SET SESSION binlog_row_image = FULL, binlog_transaction_compression = ON;
      INSERT INTO tagged VALUES (1, '{"zips": [1, 2]}'), (2, NULL); UPDATE tagged SET j = '{"zips": [3]}'; DELETE FROM tagged`);
    const report = await changes(window);
    expect(totals(report.minutes)).toEqual({ "shop.wide": [5, 8, 2, 0, 0], "shop.tagged": [2, 2, 2, 0, 0] });
    expect(report.transactions).toBe(8);
  });

  it("tells DDL, statements and schemas apart, and shows no text unless it is told to", async () => {
    const window = await happened(`USE shop; ALTER TABLE notes ADD COLUMN secret INT; DROP TABLE IF EXISTS a, b;
      CREATE DATABASE other; SET SESSION binlog_format = STATEMENT; INSERT INTO notes (note) VALUES ('a secret')`);
    const report = await changes(window);
    expect(totals(report.minutes)).toEqual({
      "shop.notes": [0, 0, 0, 1, 0],
      "shop.a": [0, 0, 0, 1, 0],
      "shop.b": [0, 0, 0, 1, 0],
      "other.*": [0, 0, 0, 1, 0],
      "shop.*": [0, 0, 0, 0, 1],
    });
    expect(JSON.stringify(report)).not.toContain("secret");
    expect(JSON.stringify(await changes({ ...window, values: true }))).toContain("a secret");
  });

  it("keeps to the times, tables and kinds that are asked for, and names the transactions", async () => {
    await happened("INSERT INTO shop.notes (note) VALUES ('before')");
    const executed = await value("@@gtid_executed");
    const window = await happened(`INSERT INTO shop.notes (note) VALUES ('a'), ('b'); INSERT INTO audit.lines VALUES ();
      DELETE FROM shop.notes WHERE note = 'a'; INSERT INTO shop.notes (note) VALUES (REPEAT('x', 2000))`);
    const added = await value(`GTID_SUBTRACT(@@gtid_executed, '${executed}')`);
    await happened("INSERT INTO shop.notes (note) VALUES ('after')");
    const { minutes, largest, transactions } = await changes(window);
    expect(totals(minutes)).toEqual({ "shop.notes": [3, 0, 1, 0, 0], "audit.lines": [1, 0, 0, 0, 0] });
    expect(transactions).toBe(4);
    expect(await value(`GTID_SUBTRACT('${added}', '${minutes.map(({ gtids }) => gtids).join(",")}')`)).toBe("");
    expect(largest.map(({ bytes }) => bytes)).toEqual(largest.map(({ bytes }) => bytes).toSorted((a, b) => b - a));
    const [deleted] = (await changes({ ...window, tables: ["shop.notes"], kinds: ["delete"] })).largest;
    expect(deleted?.tables).toMatchObject([{ table: "shop.notes", inserted: 0, deleted: 1 }]);
    const audit = await changes({ ...window, tables: ["audit"] });
    expect(totals(audit.minutes)).toEqual({ "audit.lines": [1, 0, 0, 0, 0] });

    const one = await changes({ at: deleted?.gtid ?? "" });
    expect(one).toMatchObject({ transactions: 1, largest: [{ gtid: deleted?.gtid, tables: [{ deleted: 1 }] }] });
    const missing = `${(deleted?.gtid ?? "").split(":")[0]}:999999`;
    await expect(changes({ at: missing })).rejects.toMatchObject({ code: "NO_BACKUP" });
  });

  it("reads the vault only", async () => {
    await server.stop();
    const { stdout, exitCode } = await workspace.run(["changes", "shop", "--kind", "delete", "--json"], {
      SHOP_URL: "mysql://nobody@127.0.0.1:1",
    });
    expect(exitCode).toBe(0);
    const { minutes } = JSON.parse(stdout) as { minutes: MinuteChanges[] };
    expect(totals(minutes)["shop.notes"]).toEqual([0, 0, 1, 0, 0]);
    const wrong = await workspace.run(["changes", "shop", "--from", "yesterday"]);
    expect(wrong).toMatchObject({ exitCode: 2, stdout: "" });
  });
});
