import { quoteString } from "./quoting.ts";
import type { ColumnModel } from "./schema-model.ts";

/** How to find a value between two keys of one column. Values travel as text; `expression` makes it, `literal` reads it. */
export interface KeySpace {
  /** SQL that turns the column, or MIN or MAX of it, into the text that the functions below take. */
  expression(sql: string): string;
  /** SQL of exactly that value. */
  literal(value: string): string;
  /** Guesses at what lies between, as SQL, the best first; none when nothing does. They need not be stored values. */
  between(low: string, high: string): string[];
  /** Whether a guess is sure to lie above low and not above high in the column's order. */
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
  between: (low, high) => middleInteger(BigInt(low), BigInt(high)).map(String),
  ordered: true,
};

const DECIMAL_SPACE: KeySpace = {
  expression: (sql) => sql,
  literal: (value) => value,
  between: (low, high) => middleInteger(floor(low), floor(high)).map(String),
  ordered: true,
};

/** Microseconds since 1970. A zero date has none, and its table stays whole. */
const TIME_SPACE: KeySpace = {
  expression: (sql) => `TIMESTAMPDIFF(MICROSECOND, '1970-01-01', ${sql})`,
  literal: (value) => `TIMESTAMPADD(MICROSECOND, ${BigInt(value)}, '1970-01-01')`,
  between: (low, high) => middleInteger(BigInt(low), BigInt(high)).map((middle) => TIME_SPACE.literal(String(middle))),
  // A DATE compared with an instant of the day: the order of DATETIME.
  ordered: true,
};

const BINARY_SPACE: KeySpace = {
  expression: (sql) => `HEX(${sql})`,
  literal: (hex) => `X'${hex}'`,
  between: (low, high) => {
    const digit = (hex: string, index: number): number => Number.parseInt(hex.charAt(index) || "0", 16);
    const { prefix, from, to } = leadingDigits(low, high, digit, 16);
    return middleInteger(from, to).map((middle) => {
      const digits = prefix + middle.toString(16).padStart(DIGITS, "0");
      return `X'${digits.padEnd(digits.length + (digits.length % 2), "0")}'`;
    });
  },
  ordered: true,
};

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";
/** Where to look when what differs is no letter or digit, whose place in the collation is unknown here. */
const ANYWHERE = ["i", "5", "a", "r", "0", "z"];

/**
 * Keys are read and written as the bytes of their character set, and shown beside them for the guesses, which are made of
 * digits and letters.
 */
function textSpace(charset: string): KeySpace {
  return {
    expression: (sql) => `CONCAT(HEX(${sql}), ' ', CONVERT(${sql} USING utf8mb4))`,
    literal: (key) => `_${charset} X'${key.slice(0, key.indexOf(" "))}'`,
    between: (low, high) => {
      const { prefix, from, to } = leadingDigits(shown(low), shown(high), digitOf, ALPHABET.length);
      const guesses = middleInteger(from, to).map((middle) => middle.toString(ALPHABET.length).padStart(DIGITS, "0"));
      return [...guesses, ...ANYWHERE].map((guess) => quoteString(prefix + guess));
    },
    ordered: false,
  };
}

/** Only ASCII in lower case: whatever else would change could be missing in the column's character set. */
function shown(key: string): string {
  return key.slice(key.indexOf(" ") + 1).replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

const DIGITS = 8;

/** The common beginning of two texts, and the next eight digits of each as a number. */
function leadingDigits(low: string, high: string, digit: (text: string, index: number) => number, base: number) {
  let start = 0;
  while (start < low.length && low[start] === high[start]) start += 1;
  // Half a character is none.
  if (/[\uD800-\uDBFF]$/.test(low.slice(0, start))) start -= 1;
  const read = (text: string): bigint => {
    let value = 0n;
    for (let index = start; index < start + DIGITS; index++) value = value * BigInt(base) + BigInt(digit(text, index));
    return value;
  };
  return { prefix: low.slice(0, start), from: read(low), to: read(high) };
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

/** The integer in the middle, above low and not above high; none when low is not below high. */
function middleInteger(low: bigint, high: bigint): bigint[] {
  return high <= low ? [] : [low + (high - low + 1n) / 2n];
}
