import { AppError } from "../../core/errors.ts";
import { insertValue, jsonColumns, storedColumns } from "./columns.ts";
import type { MysqlConnection } from "./connection.ts";
import { typedJsonSql } from "./json-types.ts";
import { quoteName, quoteTable } from "./quoting.ts";
import type { TableItem } from "./selection.ts";

/** Of LOAD DATA text in one INSERT; a longer row has an INSERT of its own. */
const STATEMENT_BYTES = 512 * 1024;

const NULL_FIELD = String.raw`\N`;
const LINE_FEED = 0x0a;
const PLAIN = /^[\x20-\x7e]*$/;
const ESCAPE = /\\([\s\S])/g;
const ESCAPED: Readonly<Record<string, string>> = { "0": "\0", n: "\n", t: "\t" };

/**
 * Inserts LOAD DATA text by multi-row INSERT statements, for targets without `local_infile`. Slower, same rows; a row must
 * fit in the target's max_allowed_packet. Typed rows (`isTypedBlob`) have no other way, since each document needs an
 * expression of its own. Returns how many rows the server took.
 */
export async function insertRows(
  connection: MysqlConnection,
  table: Pick<TableItem, "model" | "to">,
  pieces: AsyncIterable<Buffer>,
  typed = false,
): Promise<number> {
  const columns = storedColumns(table.model);
  const documents = typed ? jsonColumns(table.model) : [];
  const names = columns.map(({ name }) => quoteName(name)).join(", ");
  const head = `INSERT INTO ${quoteTable(table.to.schema, table.to.name)} (${names}) VALUES `;
  const toRow = (line: string): string => {
    const fields = line.split("\t");
    // Of a row without stored columns there is one field that says nothing.
    const expected = Math.max(1, documents.length + columns.length);
    if (fields.length !== expected) {
      throw new AppError("SOURCE_PROTOCOL", `a row has ${fields.length} fields, expected ${expected}`);
    }
    const letters = fields.splice(0, documents.length);
    const values = columns.map((column, index) => {
      const field = fields[index] ?? "";
      const types = letters[documents.indexOf(column)] ?? NULL_FIELD;
      return types === NULL_FIELD
        ? insertValue(column, toLiteral(field))
        : typedJsonSql(toBytes(field).toString(), types);
    });
    return `(${values.join(",")})`;
  };
  let rows = 0;
  for await (const lines of batches(pieces)) {
    rows += (await connection.execute(head + lines.map(toRow).join(","))).affectedRows;
  }
  return rows;
}

/** The SQL of a field of LOAD DATA text: its bytes as a binary string, or NULL. */
export function toLiteral(field: string): string {
  if (field === NULL_FIELD) return "NULL";
  // The escapes of the text are also those of a string literal; only the quote is one more.
  if (PLAIN.test(field)) return `_binary'${field.replaceAll("'", String.raw`\'`)}'`;
  return `_binary x'${toBytes(field).toString("hex")}'`;
}

function toBytes(field: string): Buffer {
  const bytes = field.replaceAll(ESCAPE, (_, character: string) => ESCAPED[character] ?? character);
  return Buffer.from(bytes, "latin1");
}

/** Whole lines in groups of about `STATEMENT_BYTES`, each byte as one character. */
async function* batches(pieces: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  let pending: Buffer[] = [];
  let lines: string[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    let start = 0;
    for (let end = piece.indexOf(LINE_FEED); end >= 0; end = piece.indexOf(LINE_FEED, start)) {
      const line = Buffer.concat([...pending, piece.subarray(start, end)]);
      pending = [];
      start = end + 1;
      lines.push(line.toString("latin1"));
      bytes += line.length;
      if (bytes < STATEMENT_BYTES) continue;
      yield lines;
      lines = [];
      bytes = 0;
    }
    pending.push(piece.subarray(start));
  }
  if (lines.length > 0) yield lines;
}
