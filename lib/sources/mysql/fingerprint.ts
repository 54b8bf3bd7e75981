import { selectRows, selectTypedRows } from "./columns.ts";
import type { MysqlConnection } from "./connection.ts";
import { readJsonProofs } from "./json-shape.ts";
import { ROW_SESSION, RowReader, type RowTotals } from "./row-stream.ts";
import type { TableModel } from "./schema-model.ts";

/** The sum of the rows' XXH64, modulo 2^64, as 16 hex digits: the same whatever the order of the rows. */
export function formatFingerprint(sum: bigint): string {
  return BigInt.asUintN(64, sum).toString(16).padStart(16, "0");
}

/** What a table holds, in the terms of a manifest. */
export interface TableFingerprint {
  rows: number;
  fingerprint: string;
  plainBytes: number;
}

/**
 * Reads a table as a backup does, and keeps nothing but the totals. `table` may be renamed; its columns are the backup's.
 * Sets the connection up for rows, and leaves it so.
 */
export async function readFingerprint(connection: MysqlConnection, table: TableModel): Promise<TableFingerprint> {
  await connection.execute(ROW_SESSION);
  const { rows, sum, bytes } = await readTotals(connection, table, "");
  return { rows, fingerprint: formatFingerprint(sum), plainBytes: bytes };
}

/**
 * The totals of a table's rows for which `condition` holds (empty: all), on a connection set up by `ROW_SESSION`.
 * `onBytes` is called with the size of each piece that was read.
 */
export async function readTotals(
  connection: MysqlConnection,
  table: TableModel,
  condition: string,
  onBytes: (bytes: number) => void = () => {},
): Promise<RowTotals> {
  const reader = new RowReader(connection);
  const proofs = await readJsonProofs(connection, table);
  const plain = await drainRows(reader.read(selectRows(table, condition, proofs)), onBytes);
  const query = plain.skipped === 0 ? undefined : selectTypedRows(table, condition, proofs);
  if (query === undefined) return plain;
  const typed = await drainRows(reader.read(query), onBytes);
  return { rows: plain.rows + typed.rows, sum: plain.sum + typed.sum, bytes: plain.bytes + typed.bytes, skipped: 0 };
}

async function drainRows(
  rows: AsyncGenerator<Buffer, RowTotals>,
  onBytes: (bytes: number) => void,
): Promise<RowTotals> {
  for (;;) {
    const next = await rows.next();
    if (next.done === true) return next.value;
    onBytes(next.value.length);
  }
}
