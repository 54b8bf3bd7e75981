import type { JsonProofs } from "./json-shape.ts";
import { jsonTypesSql } from "./json-types.ts";
import { quoteName, quoteTable } from "./quoting.ts";
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

/**
 * The SELECT that reads a table's rows as they are stored (session as `ROW_SESSION` sets it up), but skips those with
 * JSON documents that their text does not bring back; `selectTypedRows` reads these. `condition` is a part's, or empty.
 */
export function selectRows(table: TableModel, condition: string, proofs: JsonProofs = new Map()): RowQuery {
  const guards = jsonTypes(table, proofs);
  return { ...rowQuery(table, guards, condition, ""), guards: guards.length };
}

/**
 * The SELECT that reads the other rows: in front of the columns, a field for each JSON column with the letters of its
 * types (`json-types.ts`). Undefined for a table without JSON, which has none.
 */
export function selectTypedRows(
  table: TableModel,
  condition: string,
  proofs: JsonProofs = new Map(),
): RowQuery | undefined {
  const types = jsonTypes(table, proofs);
  if (types.length === 0) return undefined;
  return rowQuery(table, types, condition, `(${types.map((sql) => `${sql} IS NOT NULL`).join(" OR ")})`);
}

function rowQuery(table: TableModel, before: readonly string[], condition: string, filter: string): RowQuery {
  const name = quoteTable(table.schema, table.name);
  const columns = storedColumns(table).map((column) => codecOf(column).select);
  // A table can consist of generated columns only; its rows still count.
  const list = [...before, ...(columns.length === 0 ? ["NULL"] : columns)].join(", ");
  const where = [condition, filter].filter((part) => part !== "").join(" AND ");
  const index = condition === "" ? "" : " FORCE INDEX (PRIMARY)";
  const sql = `SELECT ${list} FROM ${name}${index}${where === "" ? "" : ` WHERE ${where}`}`;
  return { sql, guards: 0, context: `reading ${name}` };
}

/** The JSON columns of a row, in order: typed rows begin with one field for each. */
export function jsonColumns(table: Pick<TableModel, "columns">): ColumnModel[] {
  return storedColumns(table).filter(({ type }) => type === "json");
}

function jsonTypes(table: TableModel, proofs: JsonProofs): string[] {
  return jsonColumns(table).map(({ name }) => jsonTypesSql(name, proofs.get(name)));
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
