import { AppError } from "../../core/errors.ts";
import type { MysqlConnection } from "./connection.ts";
import { quoteList, quoteString, quoteTable } from "./quoting.ts";
import { definitionOf } from "./schema-tables.ts";
import type { SchemaModel, TableModel } from "./schema-model.ts";

/**
 * Tells whether tables still are what they were when the snapshot began. A table can be altered in place, recreated
 * with the same definition, or swapped with another by RENAME while its rows, seen by an old snapshot, look fine.
 */
export class DefinitionWatch {
  readonly #connection: MysqlConnection;
  readonly #createTimes: ReadonlyMap<string, string | null>;

  private constructor(connection: MysqlConnection, createTimes: ReadonlyMap<string, string | null>) {
    this.#connection = connection;
    this.#createTimes = createTimes;
  }

  static async start(connection: MysqlConnection, model: SchemaModel): Promise<DefinitionWatch> {
    const rows = await connection.query<"schema" | "name" | "created">(
      `SELECT table_schema AS \`schema\`, table_name AS name, create_time AS created FROM information_schema.tables
        WHERE table_schema IN (${quoteList(model.schemas.map(({ name }) => name))})`,
    );
    const times = rows.map((row) => [quoteTable(row.schema ?? "", row.name ?? ""), row.created] as const);
    return new DefinitionWatch(connection, new Map(times));
  }

  /** Throws SOURCE_DDL_DURING_BACKUP when the table is not what it was. Call it while a reader of the table holds it. */
  async check(table: TableModel): Promise<void> {
    const name = quoteTable(table.schema, table.name);
    const [row] = await this.#connection.query<"created">(
      `SELECT create_time AS created FROM information_schema.tables
        WHERE table_schema = ${quoteString(table.schema)} AND table_name = ${quoteString(table.name)}`,
    );
    const [shown] = row === undefined ? [] : await this.#connection.query(`SHOW CREATE TABLE ${name}`);
    const same =
      row?.created === this.#createTimes.get(name) &&
      definitionOf(shown?.["Create Table"] ?? "") === definitionOf(table.createSql);
    if (!same) throw changed(name);
  }
}

/** Throws SOURCE_DDL_DURING_BACKUP unless both models define the same. Counters and sizes may differ. */
export function assertSameDefinitions(before: SchemaModel, after: SchemaModel): void {
  const [first, second] = [definitionsOf(before), definitionsOf(after)];
  for (const name of new Set([...first.keys(), ...second.keys()])) {
    if (first.get(name) !== second.get(name)) throw changed(name);
  }
}

function definitionsOf(model: SchemaModel): Map<string, string> {
  const { schemas, tables, views, routines, triggers, events, users = [] } = model;
  return new Map<string, string>([
    ...schemas.map((schema) => [`schema ${schema.name}`, schema.createSql] as const),
    ...tables.map((table) => [quoteTable(table.schema, table.name), table.definitionHash] as const),
    ...[...views, ...routines, ...triggers, ...events].map(
      (object) => [quoteTable(object.schema, object.name), JSON.stringify(object)] as const,
    ),
    ...users.map((user) => [`user ${user.user}@${user.host}`, JSON.stringify(user)] as const),
  ]);
}

function changed(name: string): AppError {
  return new AppError("SOURCE_DDL_DURING_BACKUP", `${name}: its definition changed while the backup ran`, {
    hint: "Run the backup again when the schema changes are done.",
  });
}
