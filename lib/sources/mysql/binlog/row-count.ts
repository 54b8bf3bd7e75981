import { Cursor, damaged } from "./cursor.ts";
import type { RowsEvent, TableMap } from "./row-events.ts";

/*
 * How many rows a rows event holds: it does not say, so the values are walked over, by the types of their columns.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Table__map__event.html
 */

const TYPE = {
  bit: 16,
  timestamp2: 17,
  datetime2: 18,
  time2: 19,
  typedArray: 20,
  vector: 242,
  json: 245,
  decimal: 246,
  enum: 247,
  set: 248,
  geometry: 255,
} as const;

/** Types of one width, without metadata. */
const FIXED: Record<number, number> = { 1: 1, 2: 2, 3: 4, 6: 0, 7: 4, 8: 8, 9: 3, 10: 3, 11: 3, 12: 8, 13: 1, 14: 3 };
const FLOATS = new Set([4, 5]);
const TEXTS = new Set([15, 253]);
const STRING = 254;
/** Blobs and what is stored like them: the metadata is how many bytes their length takes. */
const BLOBS = new Set<number>([249, 250, 251, 252, TYPE.json, TYPE.geometry, TYPE.vector]);
const FRACTIONS: Record<number, number> = { [TYPE.timestamp2]: 4, [TYPE.datetime2]: 5, [TYPE.time2]: 3 };
/** Bytes that so many decimal digits take beside groups of nine. */
const DIGIT_BYTES = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];

/** How a value ends: bytes of a length in front of it, or a fixed width. */
type Width = { fixed: number } | { lengthBytes: number };

/** The columns of a table, as far as the length of their values goes. */
export interface RowShape {
  widths: readonly Width[];
  isJson: readonly boolean[];
}

export function rowShape({ columnTypes, metadata }: TableMap): RowShape {
  const cursor = new Cursor(metadata);
  return {
    widths: Array.from(columnTypes, (type) => readWidth(type, cursor)),
    isJson: Array.from(columnTypes, (type) => type === TYPE.json),
  };
}

function readWidth(type: number, metadata: Cursor): Width {
  const fixed = FIXED[type];
  if (fixed !== undefined) return { fixed };
  if (FLOATS.has(type)) return { fixed: metadata.uint8() };
  if (TEXTS.has(type)) return { lengthBytes: metadata.uint16() > 255 ? 2 : 1 };
  if (BLOBS.has(type)) return { lengthBytes: metadata.uint8() };
  const base = FRACTIONS[type];
  if (base !== undefined) return { fixed: base + ((metadata.uint8() + 1) >> 1) };
  if (type === STRING) return stringWidth(metadata.uint8(), metadata.uint8());
  if (type === TYPE.bit) return bitWidth(metadata.uint8(), metadata.uint8());
  if (type === TYPE.decimal) return decimalWidth(metadata.uint8(), metadata.uint8());
  if (type === TYPE.enum || type === TYPE.set) return { fixed: metadata.uint16() >> 8 };
  if (type === TYPE.typedArray) {
    // The elements' type and its metadata; the values stand in no row, for such a column belongs to an index.
    readWidth(metadata.uint8(), metadata);
    return { lengthBytes: 4 };
  }
  throw damaged(`a column of the unknown type ${type}`);
}

/** CHAR, BINARY, ENUM and SET; the two highest bits of a long CHAR's length are folded into the type, inverted. */
function stringWidth(type: number, length: number): Width {
  if (type === TYPE.enum || type === TYPE.set) return { fixed: length };
  const whole = (type & 0x30) === 0x30 ? length : length | (((type & 0x30) ^ 0x30) << 4);
  return { lengthBytes: whole > 255 ? 2 : 1 };
}

function bitWidth(bits: number, bytes: number): Width {
  return { fixed: bytes + (bits > 0 ? 1 : 0) };
}

function decimalWidth(precision: number, scale: number): Width {
  const bytesOf = (digits: number): number => Math.floor(digits / 9) * 4 + (DIGIT_BYTES[digits % 9] ?? 0);
  return { fixed: bytesOf(precision - scale) + bytesOf(scale) };
}

/** How many rows an event holds; an update is one row. Throws SOURCE_PROTOCOL where they don't fit the table. */
export function countRows(event: RowsEvent, shape: RowShape): number {
  if (event.columns !== shape.widths.length) throw damaged("rows of another table");
  const cursor = new Cursor(event.rows);
  const before = columnsIn(event.present, event.columns);
  const after = event.presentAfter && columnsIn(event.presentAfter, event.columns);
  let rows = 0;
  while (cursor.left > 0) {
    skipImage(cursor, before, shape);
    if (after !== undefined) {
      if (event.isPartial) skipPartialOptions(cursor, shape);
      skipImage(cursor, after, shape);
    }
    rows++;
  }
  return rows;
}

function columnsIn(bitmap: Buffer, columns: number): number[] {
  return Array.from({ length: columns }, (_, column) => column).filter((column) => isSet(bitmap, column));
}

function isSet(bitmap: Buffer, bit: number): boolean {
  return (((bitmap[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1;
}

function skipImage(cursor: Cursor, columns: readonly number[], { widths }: RowShape): void {
  const nulls = cursor.bytes((columns.length + 7) >> 3);
  for (const [index, column] of columns.entries()) {
    if (isSet(nulls, index)) continue;
    const width = widths[column];
    if (width === undefined) throw damaged("rows of another table");
    if ("fixed" in width) cursor.skip(width.fixed);
    else cursor.skip(readLength(cursor, width.lengthBytes));
  }
}

function readLength(cursor: Cursor, bytes: number): number {
  if (bytes === 1) return cursor.uint8();
  if (bytes === 2) return cursor.uint16();
  return bytes === 3 ? cursor.uint24() : cursor.uint32();
}

/** Which JSON columns hold differences only; the differences have a length in front as the values have. */
function skipPartialOptions(cursor: Cursor, { isJson }: RowShape): void {
  const hasPartialJson = (cursor.packedLength() & 1) === 1;
  if (hasPartialJson) cursor.skip((isJson.filter(Boolean).length + 7) >> 3);
}
