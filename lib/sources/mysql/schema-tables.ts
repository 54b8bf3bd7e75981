import { createHash } from "node:crypto";
import { AppError } from "../../core/errors.ts";
import type { MysqlConnection, TextRow } from "./connection.ts";
import { quoteList, quoteTable } from "./quoting.ts";
import type { ColumnModel, TableModel } from "./schema-model.ts";

/** Reads the tables of some schemas, in name order, without those in `excluded` (`schema.table`). */
export async function readTables(
  connection: MysqlConnection,
  schemas: readonly string[],
  excluded: ReadonlySet<string>,
): Promise<TableModel[]> {
  const list = quoteList(schemas);
  const columns = await readColumns(connection, list);
  const keys = await readPrimaryKeys(connection, list);
  const rows = await connection.query<"schema" | "name" | "engine" | "bytes" | "rows">(
    `SELECT table_schema AS \`schema\`, table_name AS name, engine AS engine, data_length AS bytes, table_rows AS \`rows\`
      FROM information_schema.tables WHERE table_schema IN (${list}) AND table_type = 'BASE TABLE'
      ORDER BY table_schema, table_name`,
  );
  const tables: TableModel[] = [];
  for (const row of rows) {
    const [schema, name] = [row.schema ?? "", row.name ?? ""];
    if (excluded.has(`${schema}.${name}`)) continue;
    const key = quoteTable(schema, name);
    const found = columns.get(key) ?? [];
    const definition = await readDefinition(connection, schema, name, found);
    tables.push({
      schema,
      name,
      ...definition,
      engine: row.engine ?? "",
      columns: found,
      primaryKey: keys.get(key) ?? [],
      dataBytes: Number(row.bytes ?? 0),
      rowsEstimate: Number(row.rows ?? 0),
    });
  }
  return tables;
}

const COUNTER = /^(\) ENGINE=[^\n]*?) AUTO_INCREMENT=(\d+)/m;

/** A CREATE TABLE statement without the counter, which every INSERT changes. */
export function definitionOf(createSql: string): string {
  return createSql.replace(COUNTER, "$1");
}

async function readDefinition(connection: MysqlConnection, schema: string, name: string, columns: ColumnModel[]) {
  const [row] = await connection.query<"Create Table">(`SHOW CREATE TABLE ${quoteTable(schema, name)}`);
  const createSql = row?.["Create Table"];
  if (createSql === undefined || createSql === null) {
    throw new AppError("SOURCE_DDL_DURING_BACKUP", `table ${quoteTable(schema, name)} went while it was looked at`);
  }
  const definitionHash = createHash("sha256")
    .update(definitionOf(createSql))
    .update(JSON.stringify(columns))
    .digest("hex");
  return { createSql, autoIncrement: COUNTER.exec(createSql)?.[2] ?? null, definitionHash };
}

async function readColumns(connection: MysqlConnection, list: string): Promise<Map<string, ColumnModel[]>> {
  const rows = await connection.query<
    "schema" | "table" | "name" | "type" | "columnType" | "nullable" | "charset" | "collation" | "srid" | "extra"
  >(
    `SELECT table_schema AS \`schema\`, table_name AS \`table\`, column_name AS name, data_type AS type,
      column_type AS columnType, is_nullable AS nullable, character_set_name AS charset, collation_name AS collation,
      srs_id AS srid, extra AS extra
      FROM information_schema.columns WHERE table_schema IN (${list})
      ORDER BY table_schema, table_name, ordinal_position`,
  );
  return groupByTable(rows, (row) => {
    const extra = row.extra ?? "";
    return {
      name: row.name ?? "",
      type: (row.type ?? "").toLowerCase(),
      columnType: row.columnType ?? "",
      nullable: row.nullable === "YES",
      generated: /\b(?:VIRTUAL|STORED) GENERATED\b/.test(extra),
      charset: row.charset,
      collation: row.collation,
      srid: row.srid === null ? null : Number(row.srid),
      invisible: /\bINVISIBLE\b/.test(extra),
      extra,
    };
  });
}

async function readPrimaryKeys(connection: MysqlConnection, list: string): Promise<Map<string, string[]>> {
  const rows = await connection.query<"schema" | "table" | "name">(
    `SELECT table_schema AS \`schema\`, table_name AS \`table\`, column_name AS name
      FROM information_schema.statistics WHERE table_schema IN (${list}) AND index_name = 'PRIMARY'
      ORDER BY table_schema, table_name, seq_in_index`,
  );
  return groupByTable(rows, (row) => row.name ?? "");
}

function groupByTable<Row extends TextRow<"schema" | "table">, Value>(
  rows: Row[],
  read: (row: Row) => Value,
): Map<string, Value[]> {
  const groups = new Map<string, Value[]>();
  for (const row of rows) {
    const key = quoteTable(row.schema ?? "", row.table ?? "");
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [read(row)]);
    else group.push(read(row));
  }
  return groups;
}
