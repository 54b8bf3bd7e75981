import { Cursor, damaged } from "./cursor.ts";
import { decimalSize } from "./decimal.ts";
import type { TableMap } from "./row-events.ts";

/*
 * The types of columns as a table map gives them, with what of them decides how long a value is.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Table__map__event.html
 */

export const TYPE = {
  tiny: 1,
  short: 2,
  long: 3,
  float: 4,
  double: 5,
  longlong: 8,
  int24: 9,
  date: 10,
  year: 13,
  newDate: 14,
  varchar: 15,
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
  blob: 252,
  varString: 253,
  string: 254,
  geometry: 255,
} as const;

/** Types of one width, without metadata. */
const FIXED: Record<number, number> = { 1: 1, 2: 2, 3: 4, 6: 0, 7: 4, 8: 8, 9: 3, 10: 3, 11: 3, 12: 8, 13: 1, 14: 3 };
const TEXTS = new Set<number>([TYPE.varchar, TYPE.varString]);
/** Blobs and what is stored like them: the metadata is how many bytes their length takes. */
const BLOBS = new Set<number>([249, 250, 251, TYPE.blob, TYPE.json, TYPE.geometry, TYPE.vector]);
const FRACTIONS: Record<number, number> = { [TYPE.timestamp2]: 4, [TYPE.datetime2]: 5, [TYPE.time2]: 3 };

/** How a value ends: bytes of a length in front of it, or a fixed width. */
type Width = { fixed: number } | { lengthBytes: number };

/** A column of a table map. */
export interface ColumnType {
  /** One of TYPE; ENUM and SET by their own, whichever they were logged as. */
  type: number;
  width: Width;
  /** Of CHAR and BINARY, in bytes; of BIT, in bits; of DECIMAL, in digits; else 0. */
  size: number;
  /** Digits behind the point of DECIMAL and of times; else 0. */
  scale: number;
}

export function readColumnTypes({ columnTypes, metadata }: TableMap): ColumnType[] {
  const cursor = new Cursor(metadata);
  return Array.from(columnTypes, (type) => readColumnType(type, cursor));
}

function readColumnType(type: number, metadata: Cursor): ColumnType {
  const plain = (width: Width): ColumnType => ({ type, width, size: 0, scale: 0 });
  const fixed = FIXED[type];
  if (fixed !== undefined) return plain({ fixed });
  if (type === TYPE.float || type === TYPE.double) return plain({ fixed: metadata.uint8() });
  if (TEXTS.has(type)) return plain({ lengthBytes: metadata.uint16() > 255 ? 2 : 1 });
  if (BLOBS.has(type)) return plain({ lengthBytes: metadata.uint8() });
  const base = FRACTIONS[type];
  if (base !== undefined) {
    const scale = metadata.uint8();
    return { ...plain({ fixed: base + ((scale + 1) >> 1) }), scale };
  }
  if (type === TYPE.string) return stringColumn(metadata.uint8(), metadata.uint8());
  if (type === TYPE.bit) {
    const [bits, bytes] = [metadata.uint8(), metadata.uint8()];
    return { ...plain({ fixed: bytes + (bits > 0 ? 1 : 0) }), size: bytes * 8 + bits };
  }
  if (type === TYPE.decimal) {
    const [size, scale] = [metadata.uint8(), metadata.uint8()];
    return { type, width: { fixed: decimalSize(size, scale) }, size, scale };
  }
  if (type === TYPE.enum || type === TYPE.set) return plain({ fixed: metadata.uint16() >> 8 });
  if (type === TYPE.typedArray) {
    // The elements' type and its metadata; the values stand in no row, for such a column belongs to an index.
    readColumnType(metadata.uint8(), metadata);
    return plain({ lengthBytes: 4 });
  }
  throw damaged(`a column of the unknown type ${type}`);
}

/** CHAR, BINARY, ENUM and SET; the two highest bits of a long CHAR's length are folded into the type, inverted. */
function stringColumn(type: number, length: number): ColumnType {
  if (type === TYPE.enum || type === TYPE.set) return { type, width: { fixed: length }, size: 0, scale: 0 };
  const size = (type & 0x30) === 0x30 ? length : length | (((type & 0x30) ^ 0x30) << 4);
  return { type: TYPE.string, width: { lengthBytes: size > 255 ? 2 : 1 }, size, scale: 0 };
}
