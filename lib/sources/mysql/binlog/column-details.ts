import type { ColumnType } from "./column-types.ts";
import { TYPE } from "./column-types.ts";
import { Cursor } from "./cursor.ts";
import type { TableMap } from "./row-events.ts";

/** What a table map says of a column beside its type, as far as binlog_row_metadata had it logged. */
export interface ColumnDetails {
  /** With FULL only. */
  name: string | undefined;
  isUnsigned: boolean;
  /** Number of the collation of a text; 63 is binary. Undefined where it is none, or was not logged. */
  collation: number | undefined;
  /** Members of an ENUM or SET, with FULL only; in the column's own character set. */
  members: Buffer[] | undefined;
}

/** Kinds of fields: https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Table__map__event.html */
const FIELD = {
  signedness: 1,
  defaultCollation: 2,
  collations: 3,
  names: 4,
  setMembers: 5,
  enumMembers: 6,
  enumDefaultCollation: 10,
  enumCollations: 11,
} as const;

const NUMBERS = new Set<number>([
  TYPE.tiny,
  TYPE.short,
  TYPE.int24,
  TYPE.long,
  TYPE.longlong,
  TYPE.decimal,
  TYPE.float,
  TYPE.double,
]);
const TEXTS = new Set<number>([TYPE.varchar, TYPE.varString, TYPE.string, TYPE.blob]);

/** Reads the optional part of a table map. Throws SOURCE_PROTOCOL. */
export function readColumnDetails(map: TableMap, columns: readonly ColumnType[]): ColumnDetails[] {
  const details = columns.map((): ColumnDetails => ({
    name: undefined,
    isUnsigned: false,
    collation: undefined,
    members: undefined,
  }));
  const of = (isMeant: (type: number) => boolean): ColumnDetails[] =>
    details.filter((_, index) => isMeant(columns[index]?.type ?? 0));
  const numbers = of((type) => NUMBERS.has(type));
  const texts = of((type) => TEXTS.has(type));
  const choices = of((type) => type === TYPE.enum || type === TYPE.set);
  const cursor = new Cursor(map.optionalMetadata);
  while (cursor.left > 0) {
    const kind = cursor.uint8();
    const field = cursor.bytes(cursor.packedLength());
    if (kind === FIELD.signedness) readSignedness(field, numbers);
    else if (kind === FIELD.defaultCollation) readDefaultCollation(new Cursor(field), texts);
    else if (kind === FIELD.collations) readCollations(new Cursor(field), texts);
    else if (kind === FIELD.enumDefaultCollation) readDefaultCollation(new Cursor(field), choices);
    else if (kind === FIELD.enumCollations) readCollations(new Cursor(field), choices);
    else if (kind === FIELD.names) readNames(new Cursor(field), details);
    else if (kind === FIELD.setMembers)
      readMembers(
        new Cursor(field),
        of((type) => type === TYPE.set),
      );
    else if (kind === FIELD.enumMembers)
      readMembers(
        new Cursor(field),
        of((type) => type === TYPE.enum),
      );
  }
  return details;
}

/** One bit a number, highest first. */
function readSignedness(bits: Buffer, numbers: readonly ColumnDetails[]): void {
  for (const [index, number] of numbers.entries()) {
    number.isUnsigned = (((bits[index >> 3] ?? 0) >> (7 - (index & 7))) & 1) === 1;
  }
}

/** The most frequent one, then the others, each with the index of its column among those of this kind. */
function readDefaultCollation(cursor: Cursor, columns: readonly ColumnDetails[]): void {
  const usual = cursor.packedLength();
  for (const column of columns) column.collation = usual;
  while (cursor.left > 0) {
    const column = columns[cursor.packedLength()];
    const collation = cursor.packedLength();
    if (column !== undefined) column.collation = collation;
  }
}

function readCollations(cursor: Cursor, columns: readonly ColumnDetails[]): void {
  for (const column of columns) column.collation = cursor.packedLength();
}

function readNames(cursor: Cursor, columns: readonly ColumnDetails[]): void {
  for (const column of columns) column.name = cursor.text(cursor.packedLength());
}

function readMembers(cursor: Cursor, columns: readonly ColumnDetails[]): void {
  for (const column of columns) {
    column.members = Array.from({ length: cursor.packedLength() }, () => cursor.bytes(cursor.packedLength()));
  }
}
