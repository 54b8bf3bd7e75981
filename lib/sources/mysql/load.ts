import { Readable } from "node:stream";
import type { BackupReader } from "../../vault/backup-reader.ts";
import type { BlobRecord } from "../../vault/manifest.ts";
import { AppError } from "../../core/errors.ts";
import { loadClause } from "./columns.ts";
import type { MysqlConnection } from "./connection.ts";
import { insertRows } from "./insert-rows.ts";
import { quoteTable } from "./quoting.ts";
import type { TableItem } from "./selection.ts";

/** Of plain text, waiting between the vault and the socket. */
const BUFFERED_BYTES = 4 * 1024 * 1024;

export interface LoadContext {
  reader: BackupReader;
  /** LOAD DATA LOCAL, or INSERT where the target does not allow it. */
  way: "load-data" | "insert";
  /** Called with the size of each piece that was handed to the server. */
  onBytes: (bytes: number) => void;
}

/**
 * Sends the rows of one blob into its table, in whatever transaction is open. Throws what the vault and the server throw,
 * and RESTORE_FAILED when the server took other than all rows; the caller rolls back.
 */
export async function loadBlob(connection: MysqlConnection, table: TableItem, blob: BlobRecord, context: LoadContext) {
  const pieces = counted(context.reader.readBlob(blob.name), context.onBytes);
  const rows =
    context.way === "insert" ? await insertRows(connection, table, pieces) : await loadData(connection, table, pieces);
  if (rows === blob.rows) return;
  throw new AppError(
    "RESTORE_FAILED",
    `rows of ${quoteTable(table.to.schema, table.to.name)}: the target took ${rows} of ${blob.rows} in blob "${blob.name}"`,
    { hint: "Something wrote to the table during the restore; restore into a schema that nothing else uses." },
  );
}

async function loadData(connection: MysqlConnection, table: TableItem, pieces: AsyncIterable<Buffer>): Promise<number> {
  // With LOCAL the server turns a duplicate key into a warning and drops the row; the count shows it.
  const sql = `LOAD DATA LOCAL INFILE 'rows' INTO TABLE ${quoteTable(table.to.schema, table.to.name)} CHARACTER SET binary ${loadClause(table.model)}`;
  const data = Readable.from(pieces, { objectMode: false, highWaterMark: BUFFERED_BYTES });
  try {
    return (await connection.loadLocal(sql, data)).affectedRows;
  } finally {
    data.destroy();
  }
}

async function* counted(pieces: AsyncIterable<Buffer>, onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const piece of pieces) {
    yield piece;
    onBytes(piece.length);
  }
}
