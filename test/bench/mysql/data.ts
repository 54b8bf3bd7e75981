import { createConnection, type Connection, type RowDataPacket } from "mysql2/promise";

const GIB = 1024 ** 3;
const BLOCK_ROWS = 20_000;

/** Tables with what real ones have: short rows and long ones, numbers, times, texts, JSON and bytes that don't compress. */
const TABLES: readonly string[] = [
  "CREATE DATABASE bench CHARACTER SET utf8mb4",
  `CREATE TABLE bench.customers (
     id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, email VARCHAR(120) NOT NULL, full_name VARCHAR(120) NOT NULL,
     birthday DATE, score DOUBLE, created_at DATETIME(6) NOT NULL, KEY customer_email (email))`,
  `CREATE TABLE bench.orders (
     id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, customer_id INT UNSIGNED NOT NULL, state ENUM('cart','paid','sent') NOT NULL,
     total DECIMAL(14,2) NOT NULL, weight FLOAT, placed_at TIMESTAMP(3) NOT NULL, note VARCHAR(200),
     KEY order_state (state, placed_at), CONSTRAINT order_customer FOREIGN KEY (customer_id) REFERENCES customers (id))`,
  `CREATE TABLE bench.items (
     order_id BIGINT UNSIGNED NOT NULL, line SMALLINT UNSIGNED NOT NULL, sku CHAR(12) CHARACTER SET ascii NOT NULL,
     quantity INT NOT NULL, price DECIMAL(10,2) NOT NULL, PRIMARY KEY (order_id, line), KEY item_sku (sku),
     CONSTRAINT item_order FOREIGN KEY (order_id) REFERENCES orders (id))`,
  `CREATE TABLE bench.documents (
     id BINARY(16) NOT NULL PRIMARY KEY, customer_id INT UNSIGNED NOT NULL, attributes JSON, body TEXT, signature VARBINARY(256),
     KEY document_customer (customer_id))`,
];

const NUMBERS = `SELECT @base + n.i AS i FROM bench.numbers n`;

const FILL: readonly string[] = [
  `INSERT INTO bench.customers (email, full_name, birthday, score, created_at)
     SELECT CONCAT('user', i, '@mail', i % 97, '.example'), CONCAT(ELT(1 + i % 5, 'Ana', 'José', 'Malén', 'Íñigo', 'Zoé'), ' ', SHA1_HEX(i)),
       '1950-01-01' + INTERVAL i % 20000 DAY, RAND(i) * 1000, '2024-01-01' + INTERVAL i SECOND FROM (${NUMBERS}) s`,
  `INSERT INTO bench.orders (customer_id, state, total, weight, placed_at, note)
     SELECT i, ELT(1 + i % 3, 'cart', 'paid', 'sent'), i % 100000 / 7, i / 13, '2024-06-01' + INTERVAL i SECOND,
       IF(i % 4 = 0, NULL, CONCAT('leave it at the door number ', i % 1000)) FROM (${NUMBERS}) s`,
  `INSERT INTO bench.items
     SELECT i, l.line, CONCAT('SKU-', LPAD(i * l.line % 99999999, 8, '0')), 1 + i % 9, i % 9999 / 3
     FROM (${NUMBERS}) s CROSS JOIN (SELECT 1 AS line UNION ALL SELECT 2 UNION ALL SELECT 3) l`,
  `INSERT INTO bench.documents
     SELECT UNHEX(LEFT(SHA1_HEX(i), 32)), i, CONCAT('{"n": ', i, ', "tags": ["a", ', i % 100, ', null], "ratio": ', i / 3, '}'),
       CONCAT('Estimado cliente ', i, ':\\n', REPEAT(CONCAT('pedido número ', i % 5000, ' en camino. '), 1 + i % 6)),
       UNHEX(CONCAT(SHA1_HEX(i), SHA1_HEX(i + 1))) FROM (${NUMBERS}) s`,
].map((statement) => statement.replaceAll(/SHA1_HEX\(([^)]*)\)/g, "SHA2($1, 256)"));

/** Fills schema `bench` until its rows take at least `gib` GiB as LOAD DATA text. Returns that size in bytes. */
export async function makeBenchData(url: string, gib: number): Promise<number> {
  const connection = await createConnection(url);
  try {
    await connection.query("SET SESSION cte_max_recursion_depth = 1000000, foreign_key_checks = 0, sql_log_bin = 0");
    for (const statement of TABLES) await connection.query(statement);
    await connection.query("CREATE TABLE bench.numbers (i INT PRIMARY KEY)");
    await connection.query(
      `INSERT INTO bench.numbers WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${BLOCK_ROWS}) SELECT i FROM n`,
    );
    let bytes = 0;
    let blockBytes = 0;
    for (let base = 0; bytes < gib * GIB; base += BLOCK_ROWS) {
      await connection.query("SET @base = ?", [base]);
      for (const statement of FILL) await connection.query(statement);
      blockBytes ||= await textBytes(connection);
      bytes += blockBytes;
    }
    await connection.query("DROP TABLE bench.numbers");
    await connection.query("ANALYZE TABLE bench.customers, bench.orders, bench.items, bench.documents");
    return bytes;
  } finally {
    await connection.end();
  }
}

/** Bytes that all rows take as text, without separators. */
async function textBytes(connection: Connection): Promise<number> {
  const [tables] = await connection.query<RowDataPacket[]>(
    `SELECT table_name AS name, GROUP_CONCAT('COALESCE(LENGTH(', column_name, '), 2)' SEPARATOR ' + ') AS width
       FROM information_schema.columns WHERE table_schema = 'bench' AND table_name <> 'numbers' GROUP BY table_name`,
  );
  let bytes = 0;
  for (const { name, width } of tables) {
    const [[sum]] = await connection.query<RowDataPacket[]>(`SELECT SUM(${width}) AS bytes FROM bench.${name}`);
    bytes += Number(sum?.["bytes"]);
  }
  return bytes;
}
