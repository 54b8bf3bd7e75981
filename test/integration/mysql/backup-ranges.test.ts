import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type MysqlConnection, openConnection } from "../../../lib/sources/mysql/connection.ts";
import { quoteTable } from "../../../lib/sources/mysql/quoting.ts";
import { planParts } from "../../../lib/sources/mysql/ranges.ts";
import { readSchema } from "../../../lib/sources/mysql/schema.ts";
import { parseMysqlUrl } from "../../../lib/sources/mysql/url.ts";
import {
  connectTo,
  createDatabase,
  startTestMysql,
  type TestDatabase,
  type TestMysql,
  urlOf,
} from "../../support/mysql.ts";

const ROWS = 4000;
/** Numbers from 1 as column `i`, and a filler that makes rows about 200 bytes long. */
const NUMBERS = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})`;
const FILLER = "REPEAT('x', 200)";

/** By table name: columns with the key, and the key's values for row `i`. */
const KEYS: Readonly<Record<string, readonly [columns: string, values: string]>> = {
  int_dense: ["id INT PRIMARY KEY", "i"],
  int_signed: ["id INT PRIMARY KEY", `i * 3 - ${ROWS}`],
  bigint_sparse: ["id BIGINT UNSIGNED PRIMARY KEY", "POW(i, 5)"],
  bigint_skewed: ["id BIGINT PRIMARY KEY", "IF(i < 10, -9223372036854775808 + i, 9223372036854770000 + i)"],
  zero_filled: ["id INT(10) ZEROFILL PRIMARY KEY", "i * 7"],
  decimals: ["id DECIMAL(20,5) PRIMARY KEY", "(i - 2000) / 7"],
  small_decimals: ["id DECIMAL(10,9) PRIMARY KEY", "i * 0.0001"],
  uuid_binary: ["id BINARY(16) PRIMARY KEY", "UNHEX(LEFT(SHA2(i, 256), 32))"],
  varbinary_mixed: ["id VARBINARY(40) PRIMARY KEY", "UNHEX(LEFT(SHA2(i, 256), 8 + 2 * (i % 16)))"],
  uuid_text: ["id CHAR(36) PRIMARY KEY", "LOWER(INSERT(LEFT(SHA2(i, 256), 35), 9, 0, '-'))"],
  text_prefix: ["id VARCHAR(50) PRIMARY KEY", "CONCAT('customer/', LPAD(i, 8, '0'))"],
  text_utf16: ["id VARCHAR(50) CHARACTER SET utf16 PRIMARY KEY", "CONCAT('Ñandú ', i)"],
  text_gbk: ["id VARCHAR(50) CHARACTER SET gbk PRIMARY KEY", "CONCAT(i % 10, '中文\\\\', i)"],
  text_binary_collation: [
    "id VARCHAR(50) COLLATE utf8mb4_bin PRIMARY KEY",
    "CONCAT(IF(i % 2, 'a', 'A'), SHA2(i, 256))",
  ],
  text_case_insensitive: [
    "id VARCHAR(80) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY",
    "CONCAT(ELT(1 + i % 4, 'É', 'e', 'Z', '€'), SHA2(i, 256))",
  ],
  dates: ["id DATE PRIMARY KEY", "'1900-01-01' + INTERVAL i * 9 DAY"],
  datetimes: ["id DATETIME(6) PRIMARY KEY", "'1000-01-01' + INTERVAL i * 1234567891 MICROSECOND"],
  timestamps: ["id TIMESTAMP PRIMARY KEY", "'1970-01-02' + INTERVAL i * 1000 SECOND"],
  zero_dates: ["id DATE PRIMARY KEY", "IF(i = 1, '0000-00-00', '1900-01-01' + INTERVAL i DAY)"],
  composite: ["a INT, b INT, PRIMARY KEY (a, b)", "i % 3, i"],
  composite_text: ["a VARCHAR(10), b CHAR(10), c INT, PRIMARY KEY (a, b, c)", "ELT(1 + i % 2, 'eu', 'us'), 'same', i"],
  composite_one: ["a INT, b INT, PRIMARY KEY (a, b)", "7, i"],
  composite_descending: ["a INT, b INT, PRIMARY KEY (a DESC, b)", "i % 3, i"],
  enums: ["a ENUM('z','y','x'), b INT, PRIMARY KEY (a, b)", "1 + i % 3, i"],
  partitioned: ["id INT PRIMARY KEY", "i"],
  generated_key: ["my_row_id BIGINT UNSIGNED AUTO_INCREMENT INVISIBLE PRIMARY KEY", "i"],
  no_key: ["id INT", "i"],
};
const WHOLE = new Set(["enums", "no_key", "zero_dates", "small_decimals"]);

let server: TestMysql;
let database: TestDatabase;
let connection: MysqlConnection;

beforeAll(async () => {
  server = await startTestMysql({ sql_mode: "NO_ENGINE_SUBSTITUTION", cte_max_recursion_depth: 100_000 });
  const statements = Object.entries(KEYS).flatMap(([name, [columns, values]]) => {
    const [list = ""] = columns.split(", PRIMARY");
    const names = list.split(", ").map((column) => column.replace(/ .*/, ""));
    const partitions = name === "partitioned" ? " PARTITION BY HASH (id) PARTITIONS 4" : "";
    return [
      `CREATE TABLE ${name} (${columns}, filler VARCHAR(200) CHARACTER SET latin1)${partitions}`,
      `INSERT INTO ${name} (${names.join(", ")}, filler) ${NUMBERS} SELECT ${values}, ${FILLER} FROM n`,
      `ANALYZE TABLE ${name}`,
    ];
  });
  database = await createDatabase(server, statements.join(";\n"));
  connection = await openConnection(parseMysqlUrl(urlOf(server)));
});

afterAll(async () => {
  await server.stop();
});

describe("the parts of a table", () => {
  it.each(Object.keys(KEYS))("hold every row of %s exactly once", async (name) => {
    const model = await readSchema(connection, { databases: [database.name], excludeTables: [], users: false });
    const tables = model.tables.filter((table) => table.name === name);
    const parts = await planParts(connection, tables, 100_000);
    const table = quoteTable(database.name, name);
    const once = parts.map(({ condition }) => `(${condition || "TRUE"})`).join(" + ");
    const [row] = await connection.query<"total" | "once">(
      `SELECT COUNT(*) AS total, SUM(${once} = 1) AS once FROM ${table}`,
    );
    expect(row).toEqual({ total: String(ROWS), once: String(ROWS) });
    expect(parts.map(({ number }) => number).toSorted((a, b) => a - b)).toEqual(parts.map((_, index) => index + 1));
    if (WHOLE.has(name)) expect(parts).toHaveLength(1);
    else expect(parts.length).toBeGreaterThan(3);
  });

  it("come longest first", async () => {
    const model = await readSchema(connection, { databases: [database.name], excludeTables: [], users: false });
    const sizes = (await planParts(connection, model.tables, 300_000)).map(({ estimatedBytes }) => estimatedBytes);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
  });

  it("read a table that got rows on both ends since it was planned, whole", async () => {
    await using other = await connectTo(server, database.name);
    const model = await readSchema(connection, { databases: [database.name], excludeTables: [], users: false });
    const tables = model.tables.filter((table) => table.name === "int_dense");
    const parts = await planParts(connection, tables, 100_000);
    await other.query("INSERT INTO int_dense VALUES (-5, ''), (1000000, '')");
    const counts = await Promise.all(
      parts.map(async ({ condition }) => {
        const [row] = await connection.query<"n">(
          `SELECT COUNT(*) AS n FROM ${quoteTable(database.name, "int_dense")} WHERE ${condition}`,
        );
        return Number(row?.n);
      }),
    );
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(ROWS + 2);
  });
});
