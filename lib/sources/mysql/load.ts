import { Readable } from "node:stream";
import { AppError } from "../../core/errors.ts";
import type { BackupReader } from "../../vault/backup-reader.ts";
import type { BlobRecord } from "../../vault/manifest.ts";
import { isTypedBlob } from "./blob-names.ts";
import { loadClause } from "./columns.ts";
import type { MysqlConnection } from "./connection.ts";
import { insertRows } from "./insert-rows.ts";
import { PieceCutter } from "./piece-cutter.ts";
import { quoteTable } from "./quoting.ts";
import { type RestoreRecord, stepOf } from "./restore-record.ts";
import { toRestoreError } from "./restore-session.ts";
import type { TableItem } from "./selection.ts";

/** Of text in one transaction: small enough for binlogs, undo logs and replicas, large enough that a commit costs nothing. */
const PIECE_BYTES = 64 * 1024 * 1024;
/** Of text waiting between the vault and the socket. */
const BUFFERED_BYTES = 4 * 1024 * 1024;

export interface LoadContext {
  reader: BackupReader;
  record: RestoreRecord;
  /** LOAD DATA LOCAL, or INSERT where the target does not allow it. */
  way: "load-data" | "insert";
  /** Called with the size of each buffer that the server took, or had taken before. */
  onBytes: (bytes: number) => void;
}

/**
 * Loads one blob's rows piece by piece. A piece and its step in the record are one transaction: whatever is killed at
 * whatever instant, a piece is in the table exactly when its step is in the record. Throws what the vault and the server
 * throw, and RESTORE_FAILED when the server took other than all rows; the connection must not be used after that.
 */
export async function loadBlob(connection: MysqlConnection, table: TableItem, blob: BlobRecord, context: LoadContext) {
  const cutter = new PieceCutter(context.reader.readBlob(blob.name), PIECE_BYTES);
  try {
    let rows = 0;
    for (let number = 1; await cutter.hasMore(); number++) {
      await connection.execute("START TRANSACTION");
      const step = stepOf.piece(blob.name, number);
      rows += await loadPiece(connection, table, { step, cutter, context, typed: isTypedBlob(blob.name) });
      if (!(await cutter.hasMore())) {
        assertAllRows(table, blob, rows);
        await context.record.add(connection, stepOf.blob(blob.name));
      }
      await connection.execute("COMMIT");
    }
  } catch (error: unknown) {
    throw toRestoreError(error, `rows of ${quoteTable(table.to.schema, table.to.name)}`);
  } finally {
    await cutter.close();
  }
}

interface PieceContext {
  step: string;
  cutter: PieceCutter;
  context: LoadContext;
  typed: boolean;
}

/** Loads the next piece, or passes over it where an earlier run committed it. Returns its rows. */
async function loadPiece(
  connection: MysqlConnection,
  table: TableItem,
  { step, cutter, context, typed }: PieceContext,
) {
  const buffers = counted(cutter.piece(), context.onBytes);
  if (!(await context.record.add(connection, step))) {
    for await (const _ of buffers);
    return context.record.rowsOf(connection, step);
  }
  const rows =
    typed || context.way === "insert"
      ? await insertRows(connection, table, buffers, typed)
      : await loadData(connection, table, buffers);
  await context.record.setRows(connection, step, rows);
  return rows;
}

async function loadData(
  connection: MysqlConnection,
  table: TableItem,
  buffers: AsyncIterable<Buffer>,
): Promise<number> {
  // With LOCAL the server makes a warning of a duplicate key and drops the row; the count shows it.
  const sql = `LOAD DATA LOCAL INFILE 'rows' INTO TABLE ${quoteTable(table.to.schema, table.to.name)} CHARACTER SET binary ${loadClause(table.model)}`;
  const data = Readable.from(buffers, { objectMode: false, highWaterMark: BUFFERED_BYTES });
  try {
    return (await connection.loadLocal(sql, data)).affectedRows;
  } finally {
    data.destroy();
  }
}

function assertAllRows(table: TableItem, blob: BlobRecord, rows: number): void {
  if (rows === blob.rows) return;
  const name = quoteTable(table.to.schema, table.to.name);
  throw new AppError(
    "RESTORE_FAILED",
    `rows of ${name}: the target took ${rows} of ${blob.rows} in blob "${blob.name}"`,
    {
      hint: "Something else wrote to the table during the restore; restore into a schema that nothing else uses.",
    },
  );
}

async function* counted(buffers: AsyncIterable<Buffer>, onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const buffer of buffers) {
    yield buffer;
    onBytes(buffer.length);
  }
}
