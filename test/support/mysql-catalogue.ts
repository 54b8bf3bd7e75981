import type { Connection, RowDataPacket } from "mysql2/promise";
import { quoteName } from "../../lib/sources/mysql/quoting.ts";

/** What differs between two servers that hold the same, or between two looks at one. */
const VOLATILE =
  /^(TABLE_ROWS|AVG_ROW_LENGTH|DATA_LENGTH|INDEX_LENGTH|DATA_FREE|MAX_DATA_LENGTH|CREATE_TIME|UPDATE_TIME|CHECK_TIME|CARDINALITY|CREATED|LAST_ALTERED|LAST_EXECUTED|ORIGINATOR)$/;

const VIEWS: Readonly<Record<string, string>> = {
  SCHEMATA: "SCHEMA_NAME",
  TABLES: "TABLE_SCHEMA",
  COLUMNS: "TABLE_SCHEMA",
  STATISTICS: "TABLE_SCHEMA",
  TABLE_CONSTRAINTS: "TABLE_SCHEMA",
  KEY_COLUMN_USAGE: "TABLE_SCHEMA",
  REFERENTIAL_CONSTRAINTS: "CONSTRAINT_SCHEMA",
  CHECK_CONSTRAINTS: "CONSTRAINT_SCHEMA",
  PARTITIONS: "TABLE_SCHEMA",
  VIEWS: "TABLE_SCHEMA",
  TRIGGERS: "TRIGGER_SCHEMA",
  ROUTINES: "ROUTINE_SCHEMA",
  PARAMETERS: "SPECIFIC_SCHEMA",
  EVENTS: "EVENT_SCHEMA",
};

/** Everything that information_schema says about some schemas, as lines in a fixed order, and SHOW CREATE of every table. */
export async function readCatalogue(connection: Connection, schemas: readonly string[]): Promise<string[]> {
  await connection.query(
    "SET SESSION information_schema_stats_expiry = 0, sql_mode = '', time_zone = '+00:00', show_gipk_in_create_table_and_information_schema = ON",
  );
  const lines: string[] = [];
  for (const [view, column] of Object.entries(VIEWS)) {
    const [rows] = await connection.query<RowDataPacket[]>(
      `SELECT * FROM information_schema.${view} WHERE ${column} IN (?)`,
      [schemas],
    );
    lines.push(...rows.map((row) => `${view} ${JSON.stringify(stable(row))}`).toSorted((a, b) => (a < b ? -1 : 1)));
  }
  const [tables] = await connection.query<RowDataPacket[]>(
    "SELECT table_schema AS s, table_name AS n FROM information_schema.tables WHERE table_schema IN (?) AND table_type = 'BASE TABLE' ORDER BY 1, 2",
    [schemas],
  );
  for (const { s, n } of tables) {
    const [[row]] = await connection.query<RowDataPacket[]>(
      `SHOW CREATE TABLE ${quoteName(String(s))}.${quoteName(String(n))}`,
    );
    lines.push(String(row?.["Create Table"]).replaceAll(/ CHARACTER SET \w+ COLLATE /g, " COLLATE "));
  }
  return lines;
}

function stable(row: RowDataPacket): [string, unknown][] {
  return (
    Object.entries(row)
      // Whether the hidden column of a functional index is nullable depends on the sql_mode of the day when it was made.
      .filter(([name]) => !VOLATILE.test(name) && !(name === "NULLABLE" && row["EXPRESSION"]))
      .map(([name, value]) => [name, Buffer.isBuffer(value) ? value.toString("hex") : value])
  );
}
