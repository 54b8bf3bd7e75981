import { Cursor, damaged } from "./cursor.ts";
import { type BinlogEvent, EVENT } from "./event.ts";

/** What the row events of one table id refer to, until the statement ends. */
export interface TableMap {
  tableId: number;
  flags: number;
  schema: string;
  table: string;
  /** Type byte of each column. */
  columnTypes: Buffer;
  /** Type-dependent bytes of the columns, packed. */
  metadata: Buffer;
  /** One bit a column, lowest first. */
  nullable: Buffer;
  /** Signedness, character sets, names and so on, as binlog_row_metadata says; undecoded. */
  optionalMetadata: Buffer;
  /** Everything after the names, for an event with other names. */
  afterNames: Buffer;
}

/** Reads a TABLE_MAP event. */
export function readTableMap({ body }: BinlogEvent): TableMap {
  const cursor = new Cursor(body);
  const tableId = cursor.uint48();
  const flags = cursor.uint16();
  const schema = readName(cursor);
  const table = readName(cursor);
  const afterNames = body.subarray(cursor.offset);
  const columns = cursor.packedLength();
  const columnTypes = cursor.bytes(columns);
  const metadata = cursor.bytes(cursor.packedLength());
  const nullable = cursor.bytes((columns + 7) >> 3);
  return {
    tableId,
    flags,
    schema,
    table,
    columnTypes,
    metadata,
    nullable,
    optionalMetadata: cursor.rest(),
    afterNames,
  };
}

function readName(cursor: Cursor): string {
  const name = cursor.text(cursor.uint8());
  cursor.skip(1);
  return name;
}

export const ROWS_FLAG = {
  /** The last row event of its statement. */
  statementEnd: 0x0001,
  noForeignKeyChecks: 0x0002,
  relaxedUniqueChecks: 0x0004,
  completeRows: 0x0008,
  /** Since 9.6: the server checks and cascades in the SQL layer, and logs the rows of the cascade. */
  useSqlForeignKeys: 0x0010,
} as const;

export type RowsKind = "insert" | "update" | "delete";

export interface RowsEvent {
  kind: RowsKind;
  tableId: number;
  /** Bits of ROWS_FLAG. */
  flags: number;
  columns: number;
  /** Columns in the rows (of an update: in the rows before it), one bit each, lowest first. */
  present: Buffer;
  /** Columns in the rows after an update. */
  presentAfter: Buffer | undefined;
  /** PARTIAL_UPDATE_ROWS: JSON columns may hold differences only. */
  isPartial: boolean;
  /** The rows, undecoded. */
  rows: Buffer;
}

const KINDS: Record<number, { kind: RowsKind; version: 1 | 2 }> = {
  [EVENT.writeRowsV1]: { kind: "insert", version: 1 },
  [EVENT.updateRowsV1]: { kind: "update", version: 1 },
  [EVENT.deleteRowsV1]: { kind: "delete", version: 1 },
  [EVENT.writeRows]: { kind: "insert", version: 2 },
  [EVENT.updateRows]: { kind: "update", version: 2 },
  [EVENT.deleteRows]: { kind: "delete", version: 2 },
  [EVENT.partialUpdateRows]: { kind: "update", version: 2 },
};

/** Offsets in a rows event's body. */
export const ROWS_OFFSET = { tableId: 0, flags: 6 } as const;

export function isRowsEvent(type: number): boolean {
  return KINDS[type] !== undefined;
}

/** Reads a rows event of any version. */
export function readRows({ type, body }: BinlogEvent): RowsEvent {
  const known = KINDS[type];
  if (known === undefined) throw damaged(`type ${type} is no rows event`);
  const cursor = new Cursor(body);
  const tableId = cursor.uint48();
  const flags = cursor.uint16();
  // The length of the extra part counts its own two bytes.
  if (known.version === 2) cursor.skip(cursor.uint16() - 2);
  const columns = cursor.packedLength();
  const present = cursor.bytes((columns + 7) >> 3);
  const presentAfter = known.kind === "update" ? cursor.bytes((columns + 7) >> 3) : undefined;
  const isPartial = type === EVENT.partialUpdateRows;
  return { kind: known.kind, tableId, flags, columns, present, presentAfter, isPartial, rows: cursor.rest() };
}
