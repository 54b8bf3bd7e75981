import type { Connection, RowDataPacket } from "mysql2/promise";
import { quoteName, quoteTable } from "../../lib/sources/mysql/quoting.ts";

/** SQL that shows a value without loss, apart from how the product reads it. */
function shown(name: string, type: string): string {
  const column = quoteName(name);
  // Prepared statements send the bits of these; the driver makes the one number of them that has these bits.
  if (type === "float" || type === "double") return column;
  if (type === "enum" || type === "set") return `CONCAT(HEX(CAST(${column} AS UNSIGNED)), '=', HEX(${column}))`;
  if (type === "bit") return `LPAD(HEX(${column}), 16, '0')`;
  if (
    type === "geometry" ||
    type.endsWith("point") ||
    type.endsWith("string") ||
    type.endsWith("polygon") ||
    type.startsWith("geom")
  ) {
    return `CONCAT(ST_SRID(${column}), ':', HEX(${column}))`;
  }
  const isText = /char|text|blob|binary|json|vector/.test(type);
  return isText ? `CONCAT(OCTET_LENGTH(${column}), ':', HEX(${column}))` : `CAST(${column} AS CHAR)`;
}

/**
 * Every value of every column of a table, hidden and computed ones too, as text, rows in the order of all columns. Negative
 * zero is told from zero.
 */
export async function readValues(connection: Connection, schema: string, table: string): Promise<string[]> {
  await connection.query("SET SESSION time_zone = '+00:00', sql_mode = ''");
  const [columns] = await connection.query<RowDataPacket[]>(
    "SELECT column_name AS name, data_type AS type FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position",
    [schema, table],
  );
  const list = columns.map(({ name, type }, index) => `${shown(String(name), String(type))} AS c${index}`).join(", ");
  const [rows] = await connection.execute<RowDataPacket[]>(`SELECT ${list} FROM ${quoteTable(schema, table)}`);
  const texts = rows.map((row) =>
    columns.map(({ name }, index) => `${String(name)}=${show(row[`c${index}`])}`).join(" "),
  );
  return texts.toSorted((a, b) => (a < b ? -1 : 1));
}

function show(value: unknown): string {
  return Object.is(value, -0) ? "-0" : String(value);
}
