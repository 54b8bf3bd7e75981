import type { MysqlConnection } from "./connection.ts";
import { type KeySpace, keySpaceOf } from "./key-space.ts";
import { quoteName, quoteTable } from "./quoting.ts";
import type { ColumnModel, TableModel } from "./schema-model.ts";

/** A piece of a table's rows, read by one SELECT and stored as one blob. */
export interface Part {
  table: TableModel;
  /** From 1, in key order. */
  number: number;
  /** SQL after WHERE; empty for the whole table. Together, a table's conditions hold for every row exactly once. */
  condition: string;
  estimatedBytes: number;
}

/**
 * Cuts tables into parts of about `targetBytes`, in ranges of their primary keys, longest part first. A table without a
 * primary key, or with one of a type that ranges are not made of, stays whole.
 */
export async function planParts(
  connection: MysqlConnection,
  tables: readonly TableModel[],
  targetBytes: number,
): Promise<Part[]> {
  const parts: Part[] = [];
  for (const table of tables) {
    const ranges = await new Splitter(connection, table, targetBytes).split();
    for (const [index, { lower, upper, bytes }] of ranges.entries()) {
      const condition = rangeCondition(table.primaryKey, lower, upper);
      parts.push({ table, number: index + 1, condition, estimatedBytes: bytes });
    }
  }
  return parts.toSorted((a, b) => b.estimatedBytes - a.estimatedBytes);
}

/** SQL literals of the first columns of a key. */
type Bound = readonly string[];

interface Range {
  /** Inclusive; undefined: no limit. */
  lower: Bound | undefined;
  /** Exclusive; undefined: no limit. */
  upper: Bound | undefined;
  bytes: number;
}

/** Rows with the same values in the columns before one, and a range of that one. */
interface Slice extends Range {
  prefix: Bound;
  from: string | undefined;
  to: string | undefined;
}

/** Halvings of one column: enough for 64 bits. */
const MAX_DEPTH = 64;

/** Cuts one table by halving key ranges until the server's own estimate of each is small enough. */
class Splitter {
  readonly #connection: MysqlConnection;
  readonly #name: string;
  readonly #columns: ColumnModel[];
  readonly #bytes: number;
  readonly #bytesPerRow: number;
  readonly #targetBytes: number;

  constructor(connection: MysqlConnection, table: TableModel, targetBytes: number) {
    this.#connection = connection;
    this.#name = quoteTable(table.schema, table.name);
    this.#columns = table.primaryKey.flatMap((name) => table.columns.find((column) => column.name === name) ?? []);
    this.#bytes = table.dataBytes;
    this.#bytesPerRow = table.dataBytes / Math.max(1, table.rowsEstimate);
    this.#targetBytes = targetBytes;
  }

  async split(): Promise<Range[]> {
    const whole = { prefix: [], from: undefined, to: undefined, lower: undefined, upper: undefined };
    return mergeSmall(await this.#halve({ ...whole, bytes: this.#bytes }, 0), this.#targetBytes);
  }

  async #halve(slice: Slice, depth: number): Promise<Range[]> {
    const column = this.#columns[slice.prefix.length];
    const space = column && keySpaceOf(column);
    if (column === undefined || space === undefined || slice.bytes <= this.#targetBytes || depth > MAX_DEPTH) {
      return [slice];
    }
    const [low, high] = await this.#ends(slice, column, space);
    if (low === null || high === null) return [slice];
    if (low === high) {
      const prefix = [...slice.prefix, space.literal(low)];
      return this.#halve({ ...slice, prefix, from: undefined, to: undefined }, 0);
    }
    const middle = await this.#middle(slice, column, space, low, high);
    if (middle === undefined) return [slice];
    const bound = [...slice.prefix, middle];
    const left = { ...slice, to: middle, upper: bound };
    const right = { ...slice, from: middle, lower: bound };
    left.bytes = await this.#estimate(left, column);
    right.bytes = await this.#estimate(right, column);
    if (left.bytes + right.bytes > 1.5 * slice.bytes) left.bytes = right.bytes = slice.bytes / 2;
    return [...(await this.#halve(left, depth + 1)), ...(await this.#halve(right, depth + 1))];
  }

  async #ends(slice: Slice, column: ColumnModel, space: KeySpace): Promise<[string | null, string | null]> {
    const name = quoteName(column.name);
    const [row] = await this.#connection.query<"low" | "high">(
      `SELECT ${space.expression(`MIN(${name})`)} AS low, ${space.expression(`MAX(${name})`)} AS high
        FROM ${this.#name}${where(this.#conditions(slice, column))}`,
    );
    return [row?.low ?? null, row?.high ?? null];
  }

  /** A value of which rows lie on both sides. Where a guess may be out of order, the next stored value takes its place. */
  async #middle(slice: Slice, column: ColumnModel, space: KeySpace, low: string, high: string) {
    const guesses = space.between(low, high);
    if (space.ordered) return guesses[0];
    const name = quoteName(column.name);
    for (const guess of guesses) {
      const above = [...this.#conditions(slice, column), `${name} > ${space.literal(low)}`, `${name} >= ${guess}`];
      const [row] = await this.#connection.query<"value">(
        `SELECT ${space.expression(name)} AS value FROM ${this.#name}${where(above)} ORDER BY ${name} LIMIT 1`,
      );
      if (row?.value !== undefined && row.value !== null) return space.literal(row.value);
    }
    return undefined;
  }

  async #estimate(slice: Slice, column: ColumnModel): Promise<number> {
    const [row] = await this.#connection.query<"rows">(
      `EXPLAIN FORMAT=TRADITIONAL SELECT 1 FROM ${this.#name} USE INDEX (PRIMARY)${where(this.#conditions(slice, column))}`,
    );
    return Number(row?.rows ?? 0) * this.#bytesPerRow;
  }

  #conditions(slice: Slice, column: ColumnModel): string[] {
    const name = quoteName(column.name);
    const conditions = slice.prefix.map((value, index) => `${quoteName(this.#columns[index]?.name ?? "")} = ${value}`);
    if (slice.from !== undefined) conditions.push(`${name} >= ${slice.from}`);
    if (slice.to !== undefined) conditions.push(`${name} < ${slice.to}`);
    return conditions;
  }
}

function mergeSmall(ranges: readonly Range[], targetBytes: number): Range[] {
  const merged: Range[] = [];
  for (const range of ranges) {
    const last = merged.at(-1);
    if (last === undefined || last.bytes + range.bytes > targetBytes) merged.push({ ...range });
    else {
      last.upper = range.upper;
      last.bytes += range.bytes;
    }
  }
  return merged;
}

/** SQL that holds for the rows with lower <= key < upper, keys compared column by column. */
export function rangeCondition(key: readonly string[], lower: Bound | undefined, upper: Bound | undefined): string {
  let shared = 0;
  while (lower?.[shared] !== undefined && lower[shared] === upper?.[shared]) shared += 1;
  const names = key.map(quoteName);
  const conditions = names.slice(0, shared).map((name, index) => `${name} = ${lower?.[index]}`);
  // A bound that is all shared says no more than the equations do.
  if (lower !== undefined && lower.length > shared) conditions.push(compare(names, lower, shared, ">"));
  if (upper !== undefined && upper.length > shared) conditions.push(compare(names, upper, shared, "<"));
  return conditions.join(" AND ");
}

/** `key >= bound` or `key < bound`, from column `start` on: (a > x OR (a = x AND b >= y)). */
function compare(names: readonly string[], bound: Bound, start: number, sign: ">" | "<"): string {
  const name = names[start];
  const value = bound[start];
  const isLast = start === bound.length - 1;
  if (isLast) return `${name} ${sign === ">" ? ">=" : "<"} ${value}`;
  return `(${name} ${sign} ${value} OR (${name} = ${value} AND ${compare(names, bound, start + 1, sign)}))`;
}

function where(conditions: readonly string[]): string {
  return conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
}
