import type { Connection } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareMysql } from "../../../lib/sources/mysql/compare.ts";
import { finishRestore } from "../../../lib/sources/mysql/finish.ts";
import { restoreMysql } from "../../../lib/sources/mysql/restore.ts";
import { backUp, restoreRequest } from "../../support/mysql-engine.ts";
import { readValues } from "../../support/mysql-values.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";

// Everything that a server can have for a default and that changes how text is read, on the side that reads.
const ODD_DEFAULTS = {
  default_time_zone: "+05:30",
  character_set_server: "latin1",
  sql_mode: "TRADITIONAL,ANSI_QUOTES,NO_BACKSLASH_ESCAPES",
  auto_increment_increment: 7,
  sql_generate_invisible_primary_key: "ON",
  sql_require_primary_key: "ON",
};

const ALL_BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0")).join("");

/** One table for each family of types: its definition and statements that fill it, in schema `types`. */
const TABLES: Readonly<Record<string, readonly string[]>> = {
  integers: [
    `CREATE TABLE integers (id INT PRIMARY KEY, a TINYINT, b TINYINT UNSIGNED, c SMALLINT, d MEDIUMINT UNSIGNED, e INT,
       f INT UNSIGNED ZEROFILL, g BIGINT, h BIGINT UNSIGNED, i BOOLEAN)`,
    `INSERT INTO integers VALUES (1, -128, 255, -32768, 16777215, -2147483648, 42, -9223372036854775808, 18446744073709551615, TRUE),
       (2, 127, 0, 32767, 0, 2147483647, 4294967295, 9223372036854775807, 0, FALSE),
       (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
  ],
  decimals: [
    "CREATE TABLE decimals (id INT PRIMARY KEY, a DECIMAL(65,30), b DECIMAL(65,0), c DECIMAL(5,2) UNSIGNED ZEROFILL, d DECIMAL(30,30))",
    `INSERT INTO decimals VALUES
       (1, 99999999999999999999999999999999999.999999999999999999999999999999, ${"9".repeat(65)}, 1.10, 0.000000000000000000000000000001),
       (2, -99999999999999999999999999999999999.000000000000000000000000000001, -1, 0, -0.5), (3, -0.0, 0, NULL, NULL)`,
  ],
  floats: [
    "CREATE TABLE floats (id INT PRIMARY KEY AUTO_INCREMENT, f FLOAT, d DOUBLE, u FLOAT UNSIGNED, p FLOAT(7,3))",
    `INSERT INTO floats (f, d, u, p) VALUES (16777216, 9007199254740993, 0.1, 1234.567), (-0.0e0, -0.0e0, 0, 0),
       (1.401298464324817e-45, 4.9406564584124654e-324, 1e-45, NULL), (3.4028234663852886e38, 1.7976931348623157e308, 3.4e38, NULL),
       (-1.1754942106924411e-38, 2.2250738585072009e-308, NULL, NULL), (0.1, 0.1, NULL, NULL), (1/3, 1/3e0, NULL, NULL),
       (123456.789, 123456789.123456789, NULL, NULL)`,
    `INSERT INTO floats (f, d) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
       SELECT (RAND(i) - 0.5) * POW(10, 60 * RAND(i + 7) - 30), (RAND(i) - 0.5) * POW(10, 600 * RAND(i + 7) - 300) FROM n`,
  ],
  bits: [
    "CREATE TABLE bits (id INT PRIMARY KEY, a BIT(1), b BIT(9), c BIT(64))",
    "INSERT INTO bits VALUES (1, b'1', b'100001010', X'FFFFFFFFFFFFFFFF'), (2, b'0', 0, 0), (3, NULL, 92, X'090A0D5C00271A22')",
  ],
  times: [
    `CREATE TABLE times (id INT PRIMARY KEY, d DATE, t TIME(6), t0 TIME, dt DATETIME(6), dt0 DATETIME, ts TIMESTAMP(6) NULL,
       ts0 TIMESTAMP NULL, y YEAR)`,
    `INSERT INTO times VALUES
       (1, '0000-00-00', '-838:59:59.000000', '838:59:59', '0000-00-00', '0000-00-00', '0000-00-00', '0000-00-00', 0),
       (2, '2021-00-00', '25:00:00.123456', '-00:00:01', '2021-02-00 10:11:12.000001', '9999-12-31 23:59:59', '2038-01-19 03:14:07.499999', '1970-01-01 00:00:01', 1901),
       (3, '2021-02-31', '00:00:00.000001', '25:00:00', '1000-01-01', '0001-01-01', '2024-03-31 02:30:00.5', '2024-10-27 02:30:00', 2155),
       (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (5, '9999-12-31', '-0:00:00.5', '0', '9999-12-31 23:59:59.999999', '2021-02-30 1:1:1', '1970-01-01 00:00:01', '2001-01-01', 1970)`,
  ],
  bytes: [
    "CREATE TABLE bytes (id INT PRIMARY KEY, a BINARY(255), b VARBINARY(300), c TINYBLOB, d BLOB, e MEDIUMBLOB, f LONGBLOB, g VARCHAR(300) CHARACTER SET latin1)",
    `INSERT INTO bytes VALUES (1, X'00', X'${ALL_BYTES}', X'', X'${ALL_BYTES}', X'5C4E', X'${ALL_BYTES.repeat(300)}', X'${ALL_BYTES}'),
       (2, X'20', '', '\\\\N', '\\t\\n\\0\\\\', 'NULL', NULL, '\\\\N'), (3, NULL, NULL, NULL, NULL, NULL, '', NULL)`,
  ],
  texts: [
    `CREATE TABLE texts (id INT PRIMARY KEY, a CHAR(10), b VARCHAR(200), c TINYTEXT, d TEXT, e MEDIUMTEXT, f LONGTEXT) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
    `INSERT INTO texts VALUES (1, 'a', '\\\\N', '', 'tab\\there', 'line\\nbreak\\r\\n', 'nul\\0nul'), (2, NULL, NULL, NULL, NULL, NULL, NULL),
       (3, '', '', '', '', '', ''), (4, ' b ', 'trailing  ', '\\\\', '\\\\\\\\', '\\'"\`', '\\Z%_'), (5, '😀', 'Ωñ日本', 'N', '\\\\n', '\\\\t', 'NULL'),
       (6, 'x', REPEAT('y', 200), REPEAT('z', 255), REPEAT('ü', 30000), REPEAT('w\\n', 100000), REPEAT('\\t\\\\', 100000))`,
  ],
  charsets: [
    `CREATE TABLE charsets (id INT PRIMARY KEY, a VARCHAR(50) CHARACTER SET latin1, b VARCHAR(50) CHARACTER SET utf8mb3,
       c VARCHAR(50) CHARACTER SET utf16, d VARCHAR(50) CHARACTER SET utf32, e VARCHAR(50) CHARACTER SET ucs2,
       f VARCHAR(50) CHARACTER SET cp1251, g VARCHAR(50) CHARACTER SET sjis, h VARCHAR(50) CHARACTER SET gbk,
       i VARCHAR(50) CHARACTER SET big5, j VARCHAR(50) CHARACTER SET gb18030, k VARCHAR(50) CHARACTER SET utf16le,
       l VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_da_0900_as_cs, m VARCHAR(50) CHARACTER SET ascii, n VARCHAR(50) CHARACTER SET koi8r,
       o CHAR(20) CHARACTER SET eucjpms, p ENUM('é','日') CHARACTER SET utf16, q TEXT CHARACTER SET hebrew)`,
    `INSERT INTO charsets VALUES (1, 'café€', 'naïve ж', 'a😀b', '😀', 'ж日', 'Привет', '日本表ソ', '中文表', '中文功許', '中文😀', 'z😀', 'æøå', 'ascii\\\\', 'жук', '日本', 'é', 'שלום'),
       (2, '\\\\N', '\\t', '\\n', '\\\\', '\\0', '\\\\', _sjis X'5C', _gbk X'815C', _big5 X'A45C', _gb18030 X'81308130', '\\n\\t', '', '', NULL, '', '日', NULL)`,
  ],
  members: [
    `CREATE TABLE members (id INT PRIMARY KEY, e ENUM('', 'a,b', 'it''s', '"q"', 'back\\\\slash', 'ünï', ' lead', '0', 'NULL', '\\\\N', 'tab\\t'),
       s SET('x', '', 'a b', 'ü', '\\\\N', 'q''q'), big SET(${Array.from({ length: 64 }, (_, index) => `'m${index}'`).join(",")}), n ENUM('0','1','2') NOT NULL)`,
    `INSERT INTO members VALUES (1, '', '', 'm63', '0'), (2, 'a,b', 'x,ü', 'm0,m63', '1'), (3, 'it''s', '\\\\N,q''q', 18446744073709551615, '2'), (4, NULL, NULL, NULL, 1),
       (5, 0, 2, 0, 0), (6, 'tab\\t', 63, 'm5', 2), (7, '\\\\N', 16, 1, 3), (8, '0', 0, 1, '0')`,
  ],
  documents: [
    "CREATE TABLE documents (id INT PRIMARY KEY, j JSON, k JSON NOT NULL)",
    `INSERT INTO documents VALUES (1, '{"a": 1, "b": 1.0, "c": 1e2, "d": -0, "e": 18446744073709551615, "f": 1.5e-300}', 'null'), (2, NULL, '[]'),
       (3, '"tab\\\\t nl\\\\n bs\\\\\\\\ q\\\\" 😀 \\\\u0000"', '{"": {"k\\\\n": [1, 2.50, true, null, "x"]}}'),
       (4, JSON_OBJECT('big', 123456789012345678901234567890, 'dec', CAST(1.10 AS DECIMAL(10,2)), 'max', 9223372036854775808), '0.1'),
       (5, JSON_ARRAY(CAST('2021-02-03' AS DATE), CAST('10:11:12.5' AS TIME(1)), CAST('2021-02-03 10:11:12.123456' AS DATETIME(6)), X'00FF', TRUE), '123456789.123456789')`,
  ],
  shapes: [
    `CREATE TABLE shapes (id INT PRIMARY KEY, g GEOMETRY, p POINT NOT NULL SRID 4326, l LINESTRING, q POLYGON SRID 0, mp MULTIPOINT, ml MULTILINESTRING,
       mq MULTIPOLYGON, gc GEOMETRYCOLLECTION, SPATIAL KEY (p))`,
    `INSERT INTO shapes VALUES (1, ST_GeomFromText('POINT(1 2)', 3857), ST_GeomFromText('POINT(10.5 -20.25)', 4326), ST_GeomFromText('LINESTRING(0 0, 9 10, 92 39)'),
       ST_GeomFromText('POLYGON((0 0, 10 0, 10 10, 0 10, 0 0), (1 1, 2 1, 2 2, 1 2, 1 1))'), ST_GeomFromText('MULTIPOINT(1 1, 2 2)', 4326),
       ST_GeomFromText('MULTILINESTRING((0 0, 1 1), (2 2, 3 3))'), ST_GeomFromText('MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)))'),
       ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1), LINESTRING(0 0, 1 1))')),
       (2, NULL, ST_GeomFromText('POINT(0 0)', 4326), NULL, NULL, NULL, NULL, NULL, ST_GeomFromText('GEOMETRYCOLLECTION EMPTY', 4326))`,
  ],
  vectors: [
    "CREATE TABLE vectors (id INT PRIMARY KEY, v VECTOR(4), w VECTOR)",
    "INSERT INTO vectors VALUES (1, TO_VECTOR('[1, -2.5, 3e-30, 92]'), TO_VECTOR('[0.1]')), (2, NULL, X'090A5C00'), (3, X'00000080FFFF7F7F0100000001000080', NULL)",
  ],
  computed: [
    `CREATE TABLE computed (id INT PRIMARY KEY, a INT, virtual_sum INT AS (a + 1), stored_text VARCHAR(20) AS (CONCAT('v', a)) STORED,
       hidden INT DEFAULT 7 INVISIBLE, hidden_sum INT AS (a * 2) STORED INVISIBLE, made_up VARCHAR(36) DEFAULT (UUID()), tail INT, KEY (virtual_sum), KEY ((a * 3)))`,
    "INSERT INTO computed (id, a, hidden, tail) VALUES (1, 10, 99, 1), (2, NULL, NULL, 2), (3, -5, DEFAULT, 3)",
  ],
};

let source: TestMysql;
let target: TestMysql;
let before: Connection;
let after: Connection;

beforeAll(async () => {
  [source, target] = await Promise.all([
    startTestMysql({ max_allowed_packet: 268435456 }),
    startTestMysql({ ...ODD_DEFAULTS, max_allowed_packet: 268435456 }),
  ]);
  before = await connectTo(source);
  await before.query("SET SESSION sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'");
  await before.query("CREATE DATABASE types CHARACTER SET utf8mb4; USE types");
  for (const statements of Object.values(TABLES)) for (const statement of statements) await before.query(statement);
  await before.query(
    "CREATE TABLE huge (id INT PRIMARY KEY, b LONGBLOB); INSERT INTO huge VALUES (1, 'small'), (3, NULL)",
  );
  await before.query("INSERT INTO huge SELECT 2, REPEAT(X'5C0A00FF', 16777216)");
});

afterAll(async () => {
  await Promise.all([before?.end(), after?.end()]);
  await Promise.all([source?.stop(), target?.stop()]);
});

describe("a round trip through a server with other defaults", () => {
  beforeAll(async () => {
    const backup = await backUp(source.url);
    const request = restoreRequest(target.url);
    const report = await restoreMysql(request, backup);
    expect(report.notCarriedOver).toEqual([]);
    const checks = await compareMysql(request, backup);
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    await finishRestore(request, backup);
    after = await connectTo(target);
  });

  test.each(Object.keys(TABLES))("brings every value of %s back as it was", async (table) => {
    const expected = await readValues(before, "types", table);
    expect(expected.length).toBeGreaterThan(1);
    expect(await readValues(after, "types", table)).toEqual(expected);
  });

  test("brings a row of 64 MB back byte for byte", async () => {
    const sql = "SELECT id, LENGTH(b) AS bytes, SHA2(b, 256) AS hash FROM types.huge ORDER BY id";
    const [[expected], [found]] = [await before.query(sql), await after.query(sql)];
    expect(found).toEqual(expected);
    expect(expected).toMatchObject([{ id: 1 }, { id: 2, bytes: 67108864 }, { id: 3, bytes: null }]);
  });

  test("keeps the types inside JSON documents", async () => {
    const sql = `SELECT id, t.path, JSON_TYPE(JSON_EXTRACT(j, t.path)) AS type, JSON_EXTRACT(j, t.path) AS value FROM types.documents
      JOIN (VALUES ROW('$.a'), ROW('$.b'), ROW('$.c'), ROW('$.d'), ROW('$.e'), ROW('$.f'), ROW('$.big'), ROW('$.dec'), ROW('$.max'),
        ROW('$[0]'), ROW('$[1]'), ROW('$[2]'), ROW('$[3]'), ROW('$[4]')) AS t (path) ORDER BY id, t.path`;
    const [[expected], [found]] = [await before.query(sql), await after.query(sql)];
    expect(found).toEqual(expected);
  });
});
