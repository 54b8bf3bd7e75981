import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openConnection } from "../../../lib/sources/mysql/connection.ts";
import { readFingerprint } from "../../../lib/sources/mysql/fingerprint.ts";
import { readSchema } from "../../../lib/sources/mysql/schema.ts";
import { parseMysqlUrl } from "../../../lib/sources/mysql/url.ts";
import type { MemoryBackup } from "../../support/memory-backup.ts";
import { backUp } from "../../support/mysql-engine.ts";
import { createDatabase, startTestMysql, type TestMysql, urlOf } from "../../support/mysql.ts";

const MB = 1024 * 1024;

let server: TestMysql;
beforeAll(async () => {
  server = await startTestMysql({ max_allowed_packet: 256 * MB, cte_max_recursion_depth: 100_000 });
});
afterAll(() => server.stop());

const textOf = (backup: MemoryBackup, blob: string) => Buffer.concat(backup.blobs.get(blob) ?? []).toString();

describe("rows", () => {
  it("of 64 MB pass through a memory that does not depend on them", async () => {
    await using database = await createDatabase(
      server,
      `CREATE TABLE small (id INT PRIMARY KEY, v LONGBLOB); INSERT INTO small VALUES (1, 'x');
       CREATE TABLE large (id INT PRIMARY KEY, v LONGBLOB, w LONGTEXT);
       INSERT INTO large VALUES (1, REPEAT(X'00', ${64 * MB}), 'end'), (2, NULL, REPEAT('é', ${32 * MB}))`,
    );
    const script = new URL("../../support/backup-memory.ts", import.meta.url).pathname;
    const { stdout } = await promisify(execFile)(process.execPath, [script, urlOf(server), database.name]);
    const { tables, rssMb } = JSON.parse(stdout) as { tables: unknown[]; rssMb: number };
    // Each NUL takes two bytes as text.
    const plainBytes = 2 * 64 * MB + 64 * MB + "1\t\tend\n2\t\\N\t\n".length;
    expect(tables).toMatchObject([
      { name: "large", rows: 2, plainBytes },
      { name: "small", rows: 1 },
    ]);
    expect(rssMb).toBeLessThan(250);
  });

  it("of an empty table take no blob", async () => {
    await using database = await createDatabase(server, "CREATE TABLE t (id INT PRIMARY KEY)");
    const backup = await backUp(urlOf(server), { databases: [database.name] });
    expect([...backup.blobs.keys()]).toEqual(["schema.json"]);
    expect(backup.manifest.tables).toEqual([
      { schema: database.name, name: "t", rows: 0, fingerprint: "0".repeat(16), plainBytes: 0 },
    ]);
  });

  it("of a table that has only generated columns still count", async () => {
    await using database = await createDatabase(server, "CREATE TABLE t (a INT AS (5)); INSERT INTO t VALUES (), ()");
    const backup = await backUp(urlOf(server), { databases: [database.name] });
    expect(textOf(backup, "rows/000001")).toBe("\\N\n\\N\n");
  });

  it("with JSON that text does not bring back are stored apart, with the types of their scalars", async () => {
    await using database = await createDatabase(
      server,
      `CREATE TABLE t (id INT PRIMARY KEY, j JSON, k JSON);
       INSERT INTO t VALUES (1, '{"a": 1, "b": [2.5, "2024-01-01"]}', NULL),
         (2, JSON_OBJECT('a', 1.50, 'b', JSON_ARRAY('x', CAST(7 AS UNSIGNED))), '[]'),
         (3, '"text"', JSON_ARRAY(CAST('2024-01-02' AS DATE))), (4, 'null', '{}'), (5, '[[1, [true]], {"c": []}]', '0.5')`,
    );
    const backup = await backUp(urlOf(server), { databases: [database.name] });
    expect(textOf(backup, "rows/000001")).toBe(
      ['1\t{"a": 1, "b": [2.5, "2024-01-01"]}\t\\N', "4\tnull\t{}", '5\t[[1, [true]], {"c": []}]\t0.5', ""].join("\n"),
    );
    expect(textOf(backup, "typed/000001")).toBe(
      ['D.U\t\\N\t2\t{"a": 1.50, "b": ["x", 7]}\t[]', '\\N\tA\t3\t"text"\t["2024-01-02"]', ""].join("\n"),
    );
    expect(backup.manifest.tables).toMatchObject([{ rows: 5 }]);
    expect(backup.manifest.blobs.map(({ name, rows }) => [name, rows])).toEqual([
      ["schema.json", undefined],
      ["rows/000001", 3],
      ["typed/000001", 2],
    ]);
  });

  it("with JSON that no sample is like are read all the same, and so are very long ones", async () => {
    await using database = await createDatabase(
      server,
      `CREATE TABLE t (id INT PRIMARY KEY, j JSON, v LONGTEXT);
       INSERT INTO t (id, j) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
       SELECT i, IF(i BETWEEN 400 AND 600, JSON_OBJECT('b', JSON_ARRAY(i, 2.5e0)), JSON_OBJECT('a', i)) FROM n;
       UPDATE t SET j = JSON_OBJECT('b', CAST(7 AS UNSIGNED)) WHERE id = 500;
       UPDATE t SET j = JSON_OBJECT('day', CAST('2024-01-02' AS DATE)) WHERE id = 501;
       UPDATE t SET j = NULL WHERE id = 502;
       UPDATE t SET v = REPEAT('w', 700000) WHERE id IN (503, 900)`,
    );
    const backup = await backUp(urlOf(server), { databases: [database.name] });
    const ids = (blob: string) =>
      textOf(backup, blob)
        .trimEnd()
        .split("\n")
        .map((line) => Number(line.split("\t")[blob.startsWith("typed") ? 1 : 0]));
    expect(ids("typed/000001").toSorted((a, b) => a - b)).toEqual([500, 501]);
    const others = Array.from({ length: 1000 }, (_, index) => index + 1).filter((id) => id !== 500 && id !== 501);
    expect(ids("rows/000001").toSorted((a, b) => a - b)).toEqual(others);
  });

  it("with JSON of any shape get the same fingerprint with and without a sampled proof", async () => {
    await using database = await createDatabase(
      server,
      `CREATE TABLE t (id INT PRIMARY KEY, j JSON);
       INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
       SELECT i, CASE i % 7 WHEN 0 THEN JSON_OBJECT('a', i, 'b', JSON_ARRAY(i, 'x')) WHEN 1 THEN JSON_OBJECT('a', i + 0.5)
         WHEN 2 THEN JSON_ARRAY(JSON_OBJECT('a', CAST(i AS UNSIGNED))) WHEN 3 THEN CAST('5' AS JSON)
         WHEN 4 THEN JSON_OBJECT('b', JSON_OBJECT('a', NULL), 'c', TRUE) WHEN 5 THEN JSON_OBJECT('a', JSON_ARRAY(), 'b', 'x')
         ELSE JSON_OBJECT('other', i, 'b', JSON_ARRAY(i, NOW(6))) END FROM n`,
    );
    const backup = await backUp(urlOf(server), { databases: [database.name] });
    await using connection = await openConnection(parseMysqlUrl(urlOf(server)));
    const model = await readSchema(connection, { databases: [database.name], excludeTables: [], users: false });
    const [table] = model.tables;
    const [plain] = await connection.query<"typed">(
      `SELECT SUM(EXISTS (SELECT 1 FROM JSON_TABLE(j, '$**[0]' COLUMNS (v JSON PATH '$')) AS n WHERE JSON_TYPE(v)
         IN ('UNSIGNED INTEGER', 'DECIMAL', 'DATETIME'))) AS typed FROM ${database.name}.t`,
    );
    const typed = backup.manifest.blobs.find(({ name }) => name.startsWith("typed/"));
    expect(typed?.rows).toBe(Number(plain?.typed));
    expect(typed?.rows).toBeGreaterThan(1000);
    expect(table && (await readFingerprint(connection, table)).fingerprint).toBe(
      backup.manifest.tables[0]?.fingerprint,
    );
  });
});
