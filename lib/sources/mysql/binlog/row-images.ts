import type { ColumnType } from "./column-types.ts";
import { TYPE } from "./column-types.ts";
import { Cursor, damaged } from "./cursor.ts";
import type { RowsEvent } from "./row-events.ts";

/** One column of a row image: its stored bytes, or NULL. */
export interface StoredValue {
  /** Index of the column. */
  column: number;
  bytes: Buffer | null;
  /** The bytes are differences of a JSON document, to be applied to the one before. */
  isDifference: boolean;
}

/** A row as an event has it; the images have the columns that were logged. */
export interface LoggedRow {
  before: StoredValue[] | undefined;
  after: StoredValue[] | undefined;
}

/** How many rows an event holds; an update is one row. Throws SOURCE_PROTOCOL where they don't fit the table. */
export function countRows(event: RowsEvent, columns: readonly ColumnType[]): number {
  const walk = new RowWalk(event, columns);
  let rows = 0;
  for (; walk.hasMore; rows++) walk.skipRow();
  return rows;
}

/** The rows of an event, one after the other. Throws SOURCE_PROTOCOL where they don't fit the table. */
export function* readImages(event: RowsEvent, columns: readonly ColumnType[]): Generator<LoggedRow, void, void> {
  const walk = new RowWalk(event, columns);
  while (walk.hasMore) yield walk.readRow();
}

/** Goes over the values by the types of their columns, for an event says of no row where it ends. */
class RowWalk {
  readonly #event: RowsEvent;
  readonly #columns: readonly ColumnType[];
  readonly #cursor: Cursor;
  readonly #first: readonly number[];
  readonly #second: readonly number[] | undefined;
  readonly #jsonColumns: readonly number[];

  constructor(event: RowsEvent, columns: readonly ColumnType[]) {
    if (event.columns !== columns.length) throw damaged("rows of another table");
    this.#event = event;
    this.#columns = columns;
    this.#cursor = new Cursor(event.rows);
    this.#first = columnsIn(event.present, event.columns);
    this.#second = event.presentAfter && columnsIn(event.presentAfter, event.columns);
    this.#jsonColumns = columns.flatMap(({ type }, index) => (type === TYPE.json ? [index] : []));
  }

  get hasMore(): boolean {
    return this.#cursor.left > 0;
  }

  skipRow(): void {
    this.#skipImage(this.#first);
    if (this.#second === undefined) return;
    if (this.#event.isPartial) this.#readPartialColumns();
    this.#skipImage(this.#second);
  }

  readRow(): LoggedRow {
    const first = this.#readImage(this.#first, NONE);
    if (this.#second !== undefined) {
      const partial = this.#event.isPartial ? this.#readPartialColumns() : NONE;
      return { before: first, after: this.#readImage(this.#second, partial) };
    }
    return this.#event.kind === "insert" ? { before: undefined, after: first } : { before: first, after: undefined };
  }

  /** Which JSON columns hold differences only; the differences have a length in front as the values have. */
  #readPartialColumns(): ReadonlySet<number> {
    const hasPartialJson = (this.#cursor.packedLength() & 1) === 1;
    if (!hasPartialJson) return NONE;
    const bits = this.#cursor.bytes((this.#jsonColumns.length + 7) >> 3);
    return new Set(this.#jsonColumns.filter((_, index) => isSet(bits, index)));
  }

  #skipImage(present: readonly number[]): void {
    const nulls = this.#cursor.bytes((present.length + 7) >> 3);
    for (const [index, column] of present.entries()) {
      if (!isSet(nulls, index)) this.#cursor.skip(this.#valueLength(column));
    }
  }

  #readImage(present: readonly number[], partial: ReadonlySet<number>): StoredValue[] {
    const nulls = this.#cursor.bytes((present.length + 7) >> 3);
    return present.map((column, index) => {
      if (isSet(nulls, index)) return { column, bytes: null, isDifference: false };
      const bytes = this.#cursor.bytes(this.#valueLength(column));
      return { column, bytes, isDifference: partial.has(column) };
    });
  }

  #valueLength(column: number): number {
    const width = this.#columns[column]?.width;
    if (width === undefined) throw damaged("rows of another table");
    return "fixed" in width ? width.fixed : readLength(this.#cursor, width.lengthBytes);
  }
}

const NONE: ReadonlySet<number> = new Set();

function columnsIn(bitmap: Buffer, columns: number): number[] {
  return Array.from({ length: columns }, (_, column) => column).filter((column) => isSet(bitmap, column));
}

function isSet(bitmap: Buffer, bit: number): boolean {
  return (((bitmap[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1;
}

function readLength(cursor: Cursor, bytes: number): number {
  if (bytes === 1) return cursor.uint8();
  if (bytes === 2) return cursor.uint16();
  return bytes === 3 ? cursor.uint24() : cursor.uint32();
}
