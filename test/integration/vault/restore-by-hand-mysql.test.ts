import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Connection, createConnection } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backupMysql } from "../../../lib/sources/mysql/backup.ts";
import type { ColumnModel, SchemaModel, TableModel } from "../../../lib/sources/mysql/schema-model.ts";
import { openBackupWriter } from "../../../lib/vault/backup-writer.ts";
import type { Manifest } from "../../../lib/vault/manifest.ts";
import { openDirectoryVault } from "../../../lib/vault/storage/directory.ts";
import { startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { sourceContext } from "../../support/mysql-engine.ts";
import { restoreByHand } from "../../support/restore-by-hand.ts";
import { SOURCE, writerOptions } from "../../support/vault-fixture.ts";

// What docs/format.md tells somebody to do who has the blobs and the break-glass key, done: the Python program opens the
// backup, and what it writes is loaded by the statements of that document. No code of this product takes part in the restore.

const KEYS = fileURLToPath(new URL("../../golden/keys/", import.meta.url));
const SCHEMA = "by_hand";

const TABLES = `
  CREATE TABLE types (
    id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT,
    f FLOAT, d DOUBLE, n DECIMAL(65,30), b BIT(13),
    latin VARCHAR(40) CHARACTER SET latin1, wide TEXT, raw VARBINARY(300), hidden INT INVISIBLE,
    place GEOMETRY SRID 4326, direction VECTOR(3),
    colour ENUM('', 'a,b', 'red') CHARACTER SET utf8mb4, marks SET('x', 'y', 'z'), extra JSON,
    at TIMESTAMP(6) NULL, day DATE, long_time TIME(3), y YEAR,
    doubled BIGINT GENERATED ALWAYS AS (y * 2) STORED
  ) AUTO_INCREMENT = 100;
  CREATE TABLE no_key (t LONGTEXT);
  CREATE TABLE empty_one (id INT PRIMARY KEY);
  CREATE TABLE priced (id INT PRIMARY KEY, more JSON, doc JSON);`;

const ROWS = `
  INSERT INTO types (f, d, n, b, latin, wide, raw, hidden, place, direction, colour, marks, extra, at, day, long_time, y)
  VALUES
    (16777216, 0.1, -12345678901234567890.123456789012345678901234567890, b'1000000000001', 'caf\u00e9', 'tab\\tlf\\nnul\\0back\\\\',
     @bytes, 7, ST_GeomFromText('POINT(40.4 -3.7)', 4326), TO_VECTOR('[1.5,-2,3]'), 'a,b', 'x,z', '{"a": [1, 1.0, null, "\\\\u00e9"]}',
     '2026-11-21 23:04:13.123456', '1000-01-01', '-838:59:59.000', 2026),
    (3.4e38, 1.7976931348623157e308, 0, b'0', '', '\\\\N', '', NULL, NULL, NULL, '', '', 'null', NULL, '9999-12-31', '101:02:03.456', 1901);
  INSERT INTO types () VALUES ();
  INSERT INTO no_key VALUES (NULL), (''), ('NULL'), ('\\\\N'), (REPEAT('x', 5000000));
  INSERT INTO priced VALUES (1, '[]', JSON_OBJECT('price', CAST(1.50 AS DECIMAL(5,2)))), (2, NULL, '{"price": 2}');`;

let mysql: TestMysql;
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "resguardo-by-hand-"));
  mysql = await startTestMysql({ local_infile: "ON" });
});

afterAll(async () => {
  await mysql.stop();
  await rm(folder, { recursive: true });
});

async function connect(): Promise<Connection> {
  return createConnection({ uri: mysql.url, multipleStatements: true, flags: ["+LOCAL_FILES"] });
}

async function checksums(connection: Connection): Promise<unknown> {
  const [rows] = await connection.query(
    `CHECKSUM TABLE ${SCHEMA}.types, ${SCHEMA}.no_key, ${SCHEMA}.empty_one EXTENDED`,
  );
  return rows;
}

/** The statement of docs/format.md for a table's rows; with `isTyped` it leaves out the letters of JSON columns. */
function loadStatement(table: TableModel, isTyped: boolean): string {
  const columns = table.columns.filter(({ generated }) => !generated);
  const assignments = columns.flatMap((column, at) => {
    const value = throughVariable(column, `@f${at}`);
    return value === undefined ? [] : `\`${column.name}\` = ${value}`;
  });
  const targets = columns.map((column, at) =>
    throughVariable(column, "") === undefined ? `\`${column.name}\`` : `@f${at}`,
  );
  if (isTyped) targets.unshift(...columns.filter(({ type }) => type === "json").map(() => "@types"));
  const set = assignments.length === 0 ? "" : ` SET ${assignments.join(", ")}`;
  return `LOAD DATA LOCAL INFILE 'rows' INTO TABLE \`${table.schema}\`.\`${table.name}\` CHARACTER SET binary (${targets.join(", ")})${set}`;
}

function throughVariable({ type }: ColumnModel, variable: string): string | undefined {
  if (type === "float" || type === "double")
    return `ST_X(CONCAT(X'000000000101000000', ${variable}, X'0000000000000000'))`;
  if (type === "enum" || type === "set") return `CAST(${variable} AS UNSIGNED)`;
  return type === "json" ? `CONVERT(${variable} USING utf8mb4)` : undefined;
}

describe("a MySQL backup, restored by hand", () => {
  it("has the same rows, byte for byte", async () => {
    const connection = await connect();
    const allBytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString("hex");
    await connection.query(
      `CREATE DATABASE ${SCHEMA}; USE ${SCHEMA}; SET time_zone = '+00:00', @bytes = X'${allBytes}';${TABLES}${ROWS}`,
    );
    const before = await checksums(connection);

    const storage = openDirectoryVault("primary", join(folder, "vault"));
    await storage.prepare();
    const writer = openBackupWriter(writerOptions([{ name: "primary", storage }]));
    const context = sourceContext(mysql.url, { databases: [SCHEMA] });
    const { manifest } = await writer.commit(await backupMysql(context, writer));
    expect(manifest.blobs.some(({ name }) => name.startsWith("typed/"))).toBe(true);
    await connection.query(`DROP DATABASE ${SCHEMA}`);

    const out = join(folder, "plain");
    await restoreByHand({
      dataFolder: join(folder, "vault", "data"),
      source: SOURCE,
      backupId: writer.id,
      privateKey: join(KEYS, "break-glass.key.pem"),
      signingKey: join(KEYS, "sign.pub.pem"),
      out,
    });
    await loadByHand(connection, out, manifest);

    expect(await checksums(connection)).toEqual(before);
    const [rows] = await connection.query(`SELECT COUNT(*) AS n, MAX(hidden) AS hidden FROM ${SCHEMA}.types`);
    expect(rows).toEqual([{ n: 3, hidden: 7 }]);
    const [prices] = await connection.query(
      `SELECT id, doc->>'$.price' + 0 AS price FROM ${SCHEMA}.priced ORDER BY id`,
    );
    expect(prices).toEqual([
      { id: 1, price: 1.5 },
      { id: 2, price: 2 },
    ]);
    await connection.end();
  });
});

async function loadByHand(connection: Connection, plain: string, manifest: Manifest): Promise<void> {
  const schema = JSON.parse(await readFile(join(plain, "schema.json"), "utf8")) as SchemaModel;
  await connection.query(
    "SET SESSION time_zone = '+00:00', foreign_key_checks = 0, unique_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'",
  );
  for (const { createSql } of schema.schemas) await connection.query(createSql);
  await connection.query(`USE ${SCHEMA}`);
  for (const { createSql } of schema.tables) await connection.query(createSql);
  for (const { name, table } of manifest.blobs) {
    const model = schema.tables.find((item) => item.schema === table?.schema && item.name === table.name);
    if (!model) continue;
    await connection.query({
      sql: loadStatement(model, name.startsWith("typed/")),
      infileStreamFactory: () => createReadStream(join(plain, name)),
    });
  }
}
