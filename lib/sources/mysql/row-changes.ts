import type { RowChange } from "../changes.ts";
import { type ColumnDetails, readColumnDetails } from "./binlog/column-details.ts";
import { type ColumnType, readColumnTypes } from "./binlog/column-types.ts";
import { formatValue } from "./binlog/column-values.ts";
import { type BinlogEvent } from "./binlog/event.ts";
import { countRows, readImages, type StoredValue } from "./binlog/row-images.ts";
import { readRows, readTableMap, type RowsKind } from "./binlog/row-events.ts";

/** A table that row events refer to, as its table map says. */
export interface LoggedTable {
  tableId: number;
  /** `schema.table`. */
  name: string;
  columns: readonly ColumnType[];
  details: readonly ColumnDetails[];
}

/** Throws SOURCE_PROTOCOL. */
export function readLoggedTable(event: BinlogEvent): LoggedTable {
  const map = readTableMap(event);
  const columns = readColumnTypes(map);
  const details = readColumnDetails(map, columns);
  return { tableId: map.tableId, name: `${map.schema}.${map.table}`, columns, details };
}

export interface CountedRows {
  kind: RowsKind;
  rows: number;
}

/** How many rows an event holds. */
export function countEvent(event: BinlogEvent, { columns }: LoggedTable): CountedRows {
  const rows = readRows(event);
  return { kind: rows.kind, rows: countRows(rows, columns) };
}

/** The first rows of an event with their values, no more than `limit`. */
export function readRowChanges(event: BinlogEvent, table: LoggedTable, limit: number): RowChange[] {
  const found: RowChange[] = [];
  const rows = readRows(event);
  for (const { before, after } of readImages(rows, table.columns)) {
    if (found.length >= limit) break;
    found.push({
      table: table.name,
      kind: rows.kind,
      ...(before && { before: valuesByName(before, table) }),
      ...(after && { after: valuesByName(after, table) }),
    });
  }
  return found;
}

function valuesByName(image: readonly StoredValue[], { columns, details }: LoggedTable): Record<string, string | null> {
  return Object.fromEntries(
    image.flatMap((stored) => {
      const [type, detail] = [columns[stored.column], details[stored.column]];
      if (type === undefined || detail === undefined) return [];
      return [[detail.name ?? `@${stored.column + 1}`, formatValue(stored, type, detail)]];
    }),
  );
}
