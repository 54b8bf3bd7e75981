import type { JsonHints } from "./json-shape.ts";
import { jsonTypesSql } from "./json-types.ts";
import { quoteName, quoteTable } from "./quoting.ts";
import { type Guards, NO_GUARDS } from "./row-kernel.ts";
import type { RowQuery } from "./row-stream.ts";
import type { ColumnModel, TableModel } from "./schema-model.ts";

/** How one column travels: read by `select`, stored as it is or, where that would change it, through `store`. */
interface ColumnCodec {
  select: string;
  /** SQL that makes the column's value from `value`: SQL of a variable or literal that holds the field's raw bytes. */
  store?: (value: string) => string;
}

/** A position in LOAD DATA's column list: the column itself, or a variable with the assignment that uses it. */
interface LoadTarget {
  target: string;
  assignment?: string;
}

function codecOf(column: ColumnModel): ColumnCodec {
  const name = quoteName(column.name);
  switch (column.type) {
    case "float":
    case "double":
      // The eight bytes of the number itself, out of a point made of it. Text would lose digits of a FLOAT, and costs the
      // server twice as much as all the rest of a row.
      return {
        select: `SUBSTR(POINT(${name}, 0), 10, 8)`,
        store: (value) => `ST_X(CONCAT(X'000000000101000000', ${value}, X'0000000000000000'))`,
      };
    case "enum":
    case "set":
      // By number: the text '' is both the error value 0 and a possible member, and members can be equal in the collation.
      return { select: `CAST(${name} AS UNSIGNED)`, store: (value) => `CAST(${value} AS UNSIGNED)` };
    case "json":
      // JSON refuses text in the binary character set, which rows are loaded in.
      return { select: name, store: (value) => `CONVERT(${value} USING utf8mb4)` };
    default:
      return { select: name };
  }
}

/** The columns that rows hold, in order: all that the server does not compute itself. */
export function storedColumns(table: Pick<TableModel, "columns">): ColumnModel[] {
  return table.columns.filter((column) => !column.generated);
}

/** The SELECTs that together read each row of a part once (session as `ROW_SESSION` sets it up). */
export interface RowQueries {
  /** Rows that LOAD DATA brings back, but for those that it leaves to `again`. */
  plain: RowQuery;
  /** Those rows; needed when `plain` skipped any, and there is one. */
  again: RowQuery | undefined;
  /**
   * Rows with JSON documents that their text does not bring back, needed when the last of the above skipped any: in front
   * of the columns, a field for each JSON column with the letters of its types (`json-types.ts`).
   */
  typed: RowQuery | undefined;
}

/** `condition` is a part's, or empty. */
export function rowQueries(table: TableModel, condition: string, hints: JsonHints = new Map()): RowQueries {
  const documents = jsonColumns(table);
  const letters = documents.map(({ name }) => jsonTypesSql(name, hints.get(name)?.proof));
  const counts = documents.map(({ name }) => hints.get(name)?.numbers);
  const proven = letters.filter((_, index) => counts[index] === undefined);
  const counted = counts.filter((count) => count !== undefined);
  const stored = storedColumns(table);
  const checks = documents.flatMap((column, index) => (counts[index] === undefined ? [] : stored.indexOf(column)));
  const query = (before: readonly string[], guards: Guards, filter = ""): RowQuery => ({
    sql: selectSql(table, before, condition, filter),
    guards,
    context: `reading ${quoteTable(table.schema, table.name)}`,
  });
  const isTyped = `(${letters.map((sql) => `${sql} IS NOT NULL`).join(" OR ")})`;
  return {
    plain: query([...proven, ...counted], { nulls: proven.length, checks, takeFailed: false }),
    again:
      checks.length === 0
        ? undefined
        : query([...letters, ...counted], { nulls: letters.length, checks, takeFailed: true }),
    typed: documents.length === 0 ? undefined : query(letters, NO_GUARDS, isTyped),
  };
}

function selectSql(table: TableModel, before: readonly string[], condition: string, filter: string): string {
  const columns = storedColumns(table).map((column) => codecOf(column).select);
  // A table can consist of generated columns only; its rows still count.
  const list = [...before, ...(columns.length === 0 ? ["NULL"] : columns)].join(", ");
  const where = [condition, filter].filter((part) => part !== "").join(" AND ");
  const index = condition === "" ? "" : " FORCE INDEX (PRIMARY)";
  return `SELECT ${list} FROM ${quoteTable(table.schema, table.name)}${index}${where === "" ? "" : ` WHERE ${where}`}`;
}

/** The JSON columns of a row, in order: typed rows begin with one field for each. */
export function jsonColumns(table: Pick<TableModel, "columns">): ColumnModel[] {
  return storedColumns(table).filter(({ type }) => type === "json");
}

/** Where field `index` of a line goes in `LOAD DATA … CHARACTER SET binary (targets) SET assignments`. */
function loadTarget(column: ColumnModel, index: number): LoadTarget {
  const { store } = codecOf(column);
  const name = quoteName(column.name);
  if (store === undefined) return { target: name };
  const variable = `@f${index}`;
  return { target: variable, assignment: `${name} = ${store(variable)}` };
}

/** The value of a column in an INSERT, from the SQL of a literal that holds the field's raw bytes (or `NULL`). */
export function insertValue(column: ColumnModel, literal: string): string {
  return codecOf(column).store?.(literal) ?? literal;
}

/** `(targets) SET assignments` of a LOAD DATA statement for a table's rows. */
export function loadClause(table: Pick<TableModel, "columns">): string {
  const targets = storedColumns(table).map((column, index) => loadTarget(column, index));
  if (targets.length === 0) return "(@nothing)";
  const assignments = targets.flatMap(({ assignment }) => assignment ?? []);
  const list = `(${targets.map(({ target }) => target).join(", ")})`;
  return assignments.length === 0 ? list : `${list} SET ${assignments.join(", ")}`;
}
