import { AppError } from "../../core/errors.ts";
import { insertValue, storedColumns } from "./columns.ts";
import type { MysqlConnection } from "./connection.ts";
import { quoteName, quoteTable } from "./quoting.ts";
import type { TableItem } from "./selection.ts";

/** Of LOAD DATA text in one INSERT; a longer row has an INSERT of its own. */
const STATEMENT_BYTES = 512 * 1024;

const LINE_FEED = 0x0a;
const PLAIN = /^[\x20-\x7e]*$/;
const ESCAPE = /\\([\s\S])/g;
const ESCAPED: Readonly<Record<string, string>> = { "0": "\0", n: "\n", t: "\t" };

/**
 * Inserts LOAD DATA text by multi-row INSERT statements, for targets without `local_infile`. Slower, same rows; a row must
 * fit in the target's max_allowed_packet. Returns how many rows the server took.
 */
export async function insertRows(
  connection: MysqlConnection,
  table: Pick<TableItem, "model" | "to">,
  pieces: AsyncIterable<Buffer>,
): Promise<number> {
  const columns = storedColumns(table.model);
  const names = columns.map(({ name }) => quoteName(name)).join(", ");
  const head = `INSERT INTO ${quoteTable(table.to.schema, table.to.name)} (${names}) VALUES `;
  const toRow = (line: string): string => {
    const fields = line.split("\t");
    if (fields.length !== columns.length) {
      throw new AppError("SOURCE_PROTOCOL", `a row has ${fields.length} fields, expected ${columns.length}`);
    }
    return `(${columns.map((column, index) => insertValue(column, toLiteral(fields[index] ?? ""))).join(",")})`;
  };
  let rows = 0;
  for await (const lines of batches(pieces)) {
    rows += (await connection.execute(head + lines.map(toRow).join(","))).affectedRows;
  }
  return rows;
}

/** The SQL of a field of LOAD DATA text: its bytes as a binary string, or NULL. */
export function toLiteral(field: string): string {
  if (field === String.raw`\N`) return "NULL";
  // The escapes of the text are also those of a string literal; only the quote is one more.
  if (PLAIN.test(field)) return `_binary'${field.replaceAll("'", String.raw`\'`)}'`;
  const bytes = field.replaceAll(ESCAPE, (_, character: string) => ESCAPED[character] ?? character);
  return `_binary x'${Buffer.from(bytes, "latin1").toString("hex")}'`;
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
