import type { MysqlConnection } from "./connection.ts";
import { keyOf } from "./mapping.ts";
import { quoteList } from "./quoting.ts";
import type { RoutineModel } from "./schema-model.ts";

/** What stands in some schemas of the target; pairs of names by `keyOf`. */
export interface TargetObjects {
  schemas: ReadonlySet<string>;
  /** Tables and views: they share names. */
  tables: ReadonlySet<string>;
  triggers: ReadonlySet<string>;
  events: ReadonlySet<string>;
  /** By `keyOfRoutine`. */
  routines: ReadonlySet<string>;
}

/** Reads the names of everything in `schemas` that the account may see. */
export async function readTargetObjects(connection: MysqlConnection, schemas: string[]): Promise<TargetObjects> {
  const wanted = quoteList(schemas);
  const read = async (view: string, kind: string, columns: string[]): Promise<Set<string>> => {
    const schemaColumn = `${kind}_schema`;
    const parts = [schemaColumn, ...columns].map((column, index) => `${column} AS c${index}`).join(", ");
    const rows = await connection.query(
      `SELECT ${parts} FROM information_schema.${view} WHERE ${schemaColumn} IN (${wanted})`,
    );
    return new Set(rows.map((row) => Object.values(row).join("\0")));
  };
  const found = await connection.query<"name">(
    `SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name IN (${wanted})`,
  );
  return {
    schemas: new Set(found.map(({ name }) => name ?? "")),
    tables: await read("tables", "table", ["table_name"]),
    triggers: await read("triggers", "trigger", ["trigger_name"]),
    events: await read("events", "event", ["event_name"]),
    routines: await read("routines", "routine", ["routine_name", "routine_type"]),
  };
}

/** Procedures, functions and libraries have names of their own each. */
export function keyOfRoutine(schema: string, { kind, name }: Pick<RoutineModel, "kind" | "name">): string {
  return `${keyOf(schema, name)}\0${kind}`;
}
