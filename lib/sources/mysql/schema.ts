import { AppError } from "../../core/errors.ts";
import type { MysqlConnection } from "./connection.ts";
import { readPrograms } from "./schema-programs.ts";
import { readTables } from "./schema-tables.ts";
import { readUsers } from "./schema-users.ts";
import type { SchemaModel, ServerModel, ViewModel } from "./schema-model.ts";
import { quoteList, quoteName, quoteTable } from "./quoting.ts";

/** Schemas of the server itself: never backed up, never restored into. */
export const SYSTEM_SCHEMAS: ReadonlySet<string> = new Set([
  "mysql",
  "sys",
  "information_schema",
  "performance_schema",
]);

/** What of a server is backed up. */
export interface Selection {
  /** Absent means every schema that is not the server's own. */
  databases?: readonly string[] | undefined;
  /** `schema.table` each. */
  excludeTables: readonly string[];
  users: boolean;
}

/** Reads the definitions of everything selected. Throws SOURCE_UNSUPPORTED, SOURCE_SETTING_WRONG, SOURCE_GRANT_MISSING. */
export async function readSchema(connection: MysqlConnection, selection: Selection): Promise<SchemaModel> {
  const names = await selectSchemas(connection, selection.databases);
  const excluded = new Set(selection.excludeTables);
  const schemas: SchemaModel["schemas"] = [];
  for (const name of names) {
    const [row] = await connection.query<"Create Database">(`SHOW CREATE DATABASE ${quoteName(name)}`);
    schemas.push({ name, createSql: row?.["Create Database"] ?? "" });
  }
  const tables = await readTables(connection, names, excluded);
  const programs = await readPrograms(connection, names);
  const model: SchemaModel = {
    version: 1,
    server: await readServer(connection),
    schemas,
    tables,
    views: await readViews(connection, names),
    ...programs,
    triggers: programs.triggers.filter(({ schema, table }) => !excluded.has(`${schema}.${table}`)),
  };
  if (selection.users) model.users = await readUsers(connection);
  return model;
}

/** The schemas that the account sees, in name order, without the server's own. */
export async function visibleSchemas(connection: MysqlConnection): Promise<string[]> {
  const rows = await connection.query<"name">(
    "SELECT schema_name AS name FROM information_schema.schemata ORDER BY schema_name",
  );
  return rows.flatMap(({ name }) => (name === null || SYSTEM_SCHEMAS.has(name) ? [] : name));
}

async function selectSchemas(connection: MysqlConnection, wanted: readonly string[] | undefined): Promise<string[]> {
  const present = await visibleSchemas(connection);
  if (wanted === undefined) return present;
  const missing = wanted.filter((name) => !present.includes(name));
  if (missing.length === 0) return present.filter((name) => wanted.includes(name));
  throw new AppError("SOURCE_SETTING_WRONG", `databases of the policy are not on the server: ${missing.join(", ")}`, {
    hint: 'Correct "databases" in the policy, or grant the backup\'s user access to them.',
  });
}

async function readServer(connection: MysqlConnection): Promise<ServerModel> {
  const [row] = await connection.query<"uuid" | "lower" | "mode" | "charset" | "collation">(
    `SELECT @@server_uuid AS uuid, @@lower_case_table_names AS lower, @@global.sql_mode AS mode,
      @@global.character_set_server AS charset, @@global.collation_server AS collation`,
  );
  return {
    version: connection.serverVersion,
    serverUuid: row?.uuid ?? "",
    lowerCaseTableNames: Number(row?.lower),
    sqlMode: row?.mode ?? "",
    characterSet: row?.charset ?? "",
    collation: row?.collation ?? "",
  };
}

async function readViews(connection: MysqlConnection, schemas: readonly string[]): Promise<ViewModel[]> {
  const rows = await connection.query<"schema" | "name" | "definer" | "security" | "charset" | "collation">(
    `SELECT table_schema AS \`schema\`, table_name AS name, definer AS definer, security_type AS security,
      character_set_client AS charset, collation_connection AS collation
      FROM information_schema.views WHERE table_schema IN (${quoteList(schemas)}) ORDER BY table_schema, table_name`,
  );
  const views: ViewModel[] = [];
  for (const row of rows) {
    const [schema, name] = [row.schema ?? "", row.name ?? ""];
    const [created] = await connection.query<"Create View">(`SHOW CREATE VIEW ${quoteTable(schema, name)}`);
    views.push({
      schema,
      name,
      createSql: created?.["Create View"] ?? "",
      definer: row.definer ?? "",
      sqlSecurity: row.security ?? "",
      charset: row.charset ?? "",
      collation: row.collation ?? "",
    });
  }
  return views;
}
