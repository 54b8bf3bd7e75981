import { rowQueries } from "./columns.ts";
import type { MysqlConnection } from "./connection.ts";
import { readJsonHints } from "./json-shape.ts";
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
  const { plain, again, typed } = rowQueries(table, condition, await readJsonHints(connection, table));
  const totals = await drainRows(reader.read(plain), onBytes);
  for (const query of [again, typed]) {
    if (totals.skipped === 0 || query === undefined) continue;
    const more = await drainRows(reader.read(query), onBytes);
    totals.rows += more.rows;
    totals.sum += more.sum;
    totals.bytes += more.bytes;
    totals.skipped = more.skipped;
  }
  return totals;
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
