import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readChanges, type ChangesRequest } from "../../../lib/restore/changes.ts";
import type { TransactionChanges } from "../../../lib/sources/changes.ts";
import type { Context } from "../../../lib/vault/context.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

/** A column of each type: its definition, a value as SQL, and the same as it is shown. */
const COLUMNS: readonly (readonly [name: string, definition: string, sql: string, shown: string | null])[] = [
  ["tiny", "TINYINT", "-128", "-128"],
  ["small", "SMALLINT UNSIGNED", "65535", "65535"],
  ["medium", "MEDIUMINT", "-8388608", "-8388608"],
  ["medium plus", "MEDIUMINT UNSIGNED", "16777215", "16777215"],
  ["int", "INT UNSIGNED", "4294967295", "4294967295"],
  ["big", "BIGINT", "-9223372036854775808", "-9223372036854775808"],
  ["big plus", "BIGINT UNSIGNED", "18446744073709551615", "18446744073709551615"],
  ["float", "FLOAT", "16777216", "16777216"],
  ["float short", "FLOAT", "0.1", "0.1"],
  ["double", "DOUBLE", "-1.5e-300", "-1.5e-300"],
  [
    "decimal",
    "DECIMAL(65,30)",
    "-12345678901234567890.000000000000000000000000000001",
    "-12345678901234567890.000000000000000000000000000001",
  ],
  ["decimal whole", "DECIMAL(9,0)", "-7", "-7"],
  ["bit", "BIT(13)", "b'1010000000101'", "b'1010000000101'"],
  ["date", "DATE", "'2026-01-02'", "2026-01-02"],
  ["no date", "DATE", "'0000-00-00'", "0000-00-00"],
  ["time", "TIME(3)", "'-838:12:34.567'", "-838:12:34.567"],
  ["time short", "TIME(1)", "'-00:00:00.1'", "-00:00:00.1"],
  ["time whole", "TIME", "'12:34:56'", "12:34:56"],
  ["datetime", "DATETIME(6)", "'2026-01-02 03:04:05.678901'", "2026-01-02 03:04:05.678901"],
  ["datetime whole", "DATETIME", "'9999-12-31 23:59:59'", "9999-12-31 23:59:59"],
  ["timestamp", "TIMESTAMP(2) NULL", "'2026-01-02 03:04:05.67'", "2026-01-02 03:04:05.67"],
  ["year", "YEAR", "2026", "2026"],
  ["char", "CHAR(255)", "'é'", "é"],
  ["latin", "VARCHAR(20) CHARACTER SET latin1", "'€uro'", "€uro"],
  ["kana", "VARCHAR(20) CHARACTER SET sjis", "'カナ'", "カナ"],
  ["wide", "VARCHAR(20) CHARACTER SET utf16", "'wide 😀'", "wide 😀"],
  ["text", "TEXT", "'a text'", "a text"],
  ["binary", "BINARY(4)", "'p'", "0x70000000"],
  ["varbinary", "VARBINARY(10)", "X'00ff'", "0x00ff"],
  ["blob", "BLOB", "X'0001'", "0x0001"],
  ["enum", "ENUM('x', 'ÿ', 'z') CHARACTER SET latin1", "'ÿ'", "ÿ"],
  ["set", "SET('a', 'b', 'c')", "'a,c'", "a,c"],
  ["point", "POINT SRID 4326", "ST_SRID(POINT(1, 2), 4326)", "0xe61000000101000000000000000000f03f0000000000000040"],
  ["vector", "VECTOR(2)", "TO_VECTOR('[1,2]')", "0x0000803f00000040"],
  [
    "json",
    "JSON",
    `JSON_OBJECT('a', JSON_ARRAY(1, -40000, 3000000000, 18446744073709551615, 1.0e0, true, NULL), 'd', CAST(1.50 AS DECIMAL(5,2)),
    't', CAST('2026-01-02 03:04:05.678901' AS DATETIME(6)), 'h', CAST('-12:34:56' AS TIME), 'y', CAST('2026-01-02' AS DATE), 's', 'é"')`,
    '{"a": [1, -40000, 3000000000, 18446744073709551615, 1.0, true, null], "d": 1.50, "h": "-12:34:56.000000", "s": "é\\"", "t": "2026-01-02 03:04:05.678901", "y": "2026-01-02"}',
  ],
  ["nothing", "INT", "NULL", null],
];

let server: TestMysql;
let workspace: Workspace;
let context: Context;

beforeAll(async () => {
  server = await startTestMysql({ binlog_row_metadata: "FULL" });
  workspace = await makeWorkspace({ SHOP_URL: server.url });
  context = await workspace.open();
  const columns = COLUMNS.map(([name, definition]) => `\`${name}\` ${definition}`);
  await run(`CREATE DATABASE shop CHARACTER SET utf8mb4; USE shop; CREATE TABLE wide (id INT PRIMARY KEY, ${columns.join(", ")});
    CREATE TABLE notes (id INT PRIMARY KEY, note LONGTEXT, doc JSON, made INT AS (id * 2) VIRTUAL,
      INDEX tags ((CAST(doc->'$.tags' AS UNSIGNED ARRAY))))`);
});
afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
  await server.stop();
});

async function run(sql: string): Promise<void> {
  await using connection = await connectTo(server);
  await connection.query(`SET NAMES utf8mb4; SET SESSION time_zone = '+00:00', sql_mode = ''; ${sql}`);
}

/** Runs one transaction, ships it, and reads its values back from the vault. */
async function valuesOf(sql: string, request: Partial<ChangesRequest> = {}): Promise<TransactionChanges> {
  const executed = await ask("@@gtid_executed");
  await run(sql);
  const at = await ask(`GTID_SUBTRACT(@@gtid_executed, '${executed}')`);
  const { exitCode, stderr } = await workspace.run(["ship", "shop"]);
  if (exitCode !== 0) throw new Error(stderr);
  const report = await readChanges(context, {
    source: "shop",
    tables: [],
    kinds: [],
    values: true,
    rows: 100,
    at,
    ...request,
  });
  const [only] = report.largest;
  if (only === undefined) throw new Error("no transaction");
  return only;
}

async function ask(expression: string): Promise<string> {
  await using connection = await connectTo(server);
  const [rows] = await connection.query(`SELECT ${expression} AS found`);
  return String((rows as { found: unknown }[])[0]?.found);
}

describe("the values of a transaction", () => {
  it("are shown by name for every type, as SQL writes them", async () => {
    const { rows } = await valuesOf(`INSERT INTO shop.wide VALUES (1, ${COLUMNS.map(([, , sql]) => sql).join(", ")})`);
    const after = Object.fromEntries(COLUMNS.map(([name, , , shown]) => [name, shown]));
    expect(rows).toEqual([{ table: "shop.wide", kind: "insert", after: { id: "1", ...after } }]);
  });

  it("are those before and after an update, and those that were logged of a minimal one", async () => {
    await run("INSERT INTO shop.notes (id, note) VALUES (1, 'one'), (2, NULL)");
    const whole = await valuesOf("UPDATE shop.notes SET note = 'changed' WHERE id = 1");
    expect(whole.rows).toEqual([
      {
        table: "shop.notes",
        kind: "update",
        before: { id: "1", note: "one", doc: null, made: "2" },
        after: { id: "1", note: "changed", doc: null, made: "2" },
      },
    ]);
    const minimal = await valuesOf(
      "SET SESSION binlog_row_image = MINIMAL; UPDATE shop.notes SET note = 'two' WHERE id = 2",
    );
    expect(minimal.rows).toEqual([
      { table: "shop.notes", kind: "update", before: { id: "2" }, after: { note: "two" } },
    ]);
    const deleted = await valuesOf("DELETE FROM shop.notes WHERE id = 2");
    expect(deleted.rows).toEqual([
      { table: "shop.notes", kind: "delete", before: { id: "2", note: "two", doc: null, made: "4" } },
    ]);
  });

  it("are the differences where the log has no more of a JSON document", async () => {
    await run(`INSERT INTO shop.notes (id, doc) VALUES (3, '{"a": [1, 2], "tags": [7], "b": "text", "c": 1}')`);
    const { rows } = await valuesOf(`SET SESSION binlog_row_value_options = PARTIAL_JSON;
      UPDATE shop.notes SET doc = JSON_REMOVE(JSON_SET(doc, '$.a[1]', 'x'), '$.c') WHERE id = 3`);
    expect(rows?.[0]?.after).toMatchObject({ doc: 'replace $.a[1] = "x"; remove $.c' });
  });

  it("are shown for as many rows as are asked for, and it is said how many more there are", async () => {
    const many = await valuesOf(
      `SET SESSION binlog_transaction_compression = ON; SET SESSION cte_max_recursion_depth = 10000;
       INSERT INTO shop.notes (id, note) WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 5099) SELECT i, 'n' FROM n`,
      { rows: 3 },
    );
    expect(many.rows?.map(({ after }) => after?.["id"])).toEqual(["100", "101", "102"]);
    expect(many.rowsNotShown).toBe(4997);
    const long = await valuesOf(
      "INSERT INTO shop.notes (id, note, doc) VALUES (9, REPEAT('ab😀', 1000000), JSON_OBJECT('a', 1, 'b', 70000, 'c', REPEAT('x', 70000)))",
    );
    expect(long.rows?.[0]?.after?.["note"]).toMatch(/^(?:ab😀)+(?:a|ab)?… \(6000000 bytes\)$/u);
    expect(long.rows?.[0]?.after?.["doc"]).toMatch(/^\{"a": 1, "b": 70000, "c": "x+… \(70\d\d\d bytes\)$/);
  });

  it("are left away unless they are asked for, and for a stretch of time", async () => {
    const at = (await valuesOf("INSERT INTO shop.notes (id, note) VALUES (10, 'a secret')")).gtid ?? "";
    const query = { source: "shop", tables: [], kinds: [], rows: 100 };
    expect(JSON.stringify(await readChanges(context, { ...query, at, values: false }))).not.toContain("secret");
    expect(JSON.stringify(await readChanges(context, { ...query, values: true }))).not.toContain("secret");
    const other = readChanges(context, { ...query, at, values: true, tables: ["shop.wide"] });
    await expect(other).rejects.toMatchObject({ code: "NO_BACKUP" });
  });

  it("have the numbers of their columns where the server logs no names", async () => {
    await run("SET GLOBAL binlog_row_metadata = MINIMAL");
    const { rows } = await valuesOf(
      "INSERT INTO shop.wide (id, `big plus`, latin, `enum`, `set`) VALUES (2, 18446744073709551615, '€', 2, 5)",
    );
    const number = (name: string): string => `@${COLUMNS.findIndex(([column]) => column === name) + 2}`;
    expect(rows?.[0]?.after).toMatchObject({
      "@1": "2",
      [number("big plus")]: "18446744073709551615",
      [number("latin")]: "€",
      [number("enum")]: "2",
      [number("set")]: "5",
    });
  });

  it("are printed one line an image, with nothing in them that a terminal obeys", async () => {
    const { gtid } = await valuesOf("INSERT INTO shop.notes (id, note) VALUES (11, 'bell\\a \\x1b[31mred')");
    const { stdout } = await workspace.run(["changes", "shop", "--at", gtid ?? "", "--values", "--rows", "1"]);
    expect(stdout).toContain("insert shop.notes");
    expect(stdout).not.toContain("\u001b");
  });
});
