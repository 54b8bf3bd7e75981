import { selectRows } from "./columns.ts";
import type { MysqlConnection } from "./connection.ts";
import { quoteTable } from "./quoting.ts";
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
  const rows = new RowReader(connection).read(selectRows(table, ""), `reading ${quoteTable(table.schema, table.name)}`);
  const { rows: count, sum, bytes } = await drain(rows);
  return { rows: count, fingerprint: formatFingerprint(sum), plainBytes: bytes };
}

async function drain(rows: AsyncGenerator<Buffer, RowTotals>): Promise<RowTotals> {
  for (;;) {
    const next = await rows.next();
    if (next.done === true) return next.value;
  }
}
