import { quoteString } from "./quoting.ts";
import type { ColumnModel } from "./schema-model.ts";

/** How to find a value between two keys of one column. Values travel as text; `expression` makes it, `literal` reads it. */
export interface KeySpace {
  /** SQL that turns the column, or MIN or MAX of it, into the text that the functions below take. */
  expression(sql: string): string;
  /** SQL of exactly that value. */
  literal(value: string): string;
  /** A guess at what lies between, as SQL; undefined when nothing does. Need not be a stored value, nor in order. */
  middle(low: string, high: string): string | undefined;
  /** Whether `middle` is sure to lie above low and not above high in the column's order. */
  ordered: boolean;
}

const INTEGERS = new Set(["tinyint", "smallint", "mediumint", "int", "bigint"]);

/** The key space of a column; undefined for types that ranges are not made of. */
export function keySpaceOf(column: ColumnModel): KeySpace | undefined {
  if (INTEGERS.has(column.type)) return INTEGER_SPACE;
  if (column.type === "decimal") return DECIMAL_SPACE;
  if (column.type === "datetime" || column.type === "timestamp" || column.type === "date") return TIME_SPACE;
  if (column.type === "binary" || column.type === "varbinary") return BINARY_SPACE;
  if ((column.type === "char" || column.type === "varchar") && column.charset !== null)
    return textSpace(column.charset);
  return undefined;
}

const INTEGER_SPACE: KeySpace = {
  expression: (sql) => sql,
  literal: (value) => BigInt(value).toString(),
  middle: (low, high) => middleInteger(BigInt(low), BigInt(high))?.toString(),
  ordered: true,
};

const DECIMAL_SPACE: KeySpace = {
  expression: (sql) => sql,
  literal: (value) => value,
  middle: (low, high) => middleInteger(floor(low), floor(high))?.toString(),
  ordered: true,
};

/** Microseconds since 1970. A zero date has none, and its table stays whole. */
const TIME_SPACE: KeySpace = {
  expression: (sql) => `TIMESTAMPDIFF(MICROSECOND, '1970-01-01', ${sql})`,
  literal: (value) => `TIMESTAMPADD(MICROSECOND, ${BigInt(value)}, '1970-01-01')`,
  middle: (low, high) => {
    const middle = middleInteger(BigInt(low), BigInt(high));
    return middle === undefined ? undefined : TIME_SPACE.literal(middle.toString());
  },
  // A DATE compared with an instant of the day: the order of DATETIME.
  ordered: true,
};

const BINARY_SPACE: KeySpace = {
  expression: (sql) => `HEX(${sql})`,
  literal: (hex) => `X'${hex}'`,
  middle: (low, high) => {
    const { prefix, from, to } = leadingDigits(
      low,
      high,
      (hex, index) => Number.parseInt(hex.charAt(index) || "0", 16),
      16,
    );
    const middle = middleInteger(from, to);
    if (middle === undefined) return undefined;
    const digits = prefix + middle.toString(16).padStart(DIGITS, "0");
    return `X'${digits.padEnd(digits.length + (digits.length % 2), "0")}'`;
  },
  ordered: true,
};

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";

/** Keys are read and written as the bytes of their character set; the guess between them is made of digits and letters. */
function textSpace(charset: string): KeySpace {
  return {
    expression: (sql) => `HEX(${sql})`,
    literal: (hex) => `_${charset} X'${hex}'`,
    middle: (low, high) => {
      const texts = [asciiOf(low), asciiOf(high)] as const;
      const { prefix, from, to } = leadingDigits(...texts, digitOf, ALPHABET.length);
      const middle = middleInteger(from, to);
      if (middle === undefined) return undefined;
      return quoteString(prefix + middle.toString(ALPHABET.length).padStart(DIGITS, "0"));
    },
    ordered: false,
  };
}

const DIGITS = 8;

/** The common beginning of two texts, and the next eight digits of each as a number. */
function leadingDigits(low: string, high: string, digit: (text: string, index: number) => number, base: number) {
  let start = 0;
  while (start < low.length && low[start] === high[start]) start += 1;
  const read = (text: string): bigint => {
    let value = 0n;
    for (let index = start; index < start + DIGITS; index++) value = value * BigInt(base) + BigInt(digit(text, index));
    return value;
  };
  return { prefix: low.slice(0, start), from: read(low), to: read(high) };
}

/** The bytes without NULs, which wide character sets put before ASCII, as one character each, in lower case. */
function asciiOf(hex: string): string {
  return Buffer.from(hex, "hex").toString("latin1").replaceAll("\0", "").toLowerCase();
}

function digitOf(text: string, index: number): number {
  const character = text.charAt(index);
  if (character < "0") return 0;
  const found = ALPHABET.indexOf(character);
  if (found >= 0) return found;
  return character < "a" ? 9 : ALPHABET.length - 1;
}

/** The largest integer that is not above a decimal. */
function floor(decimal: string): bigint {
  const [whole = "0", fraction = ""] = decimal.split(".");
  return BigInt(whole) - (decimal.startsWith("-") && /[1-9]/.test(fraction) ? 1n : 0n);
}

function middleInteger(low: bigint, high: bigint): bigint | undefined {
  if (high <= low) return undefined;
  const middle = low + (high - low + 1n) / 2n;
  return middle > low ? middle : undefined;
}
