import { AppError } from "../../core/errors.ts";
import type { MysqlConnection } from "./connection.ts";
import { keyOf } from "./mapping.ts";
import { quoteList, quoteName, quoteTable } from "./quoting.ts";
import { RECORD_PREFIX } from "./restore-record.ts";
import type { RoutineModel } from "./schema-model.ts";
import { type RestoreSelection, targetSchemas } from "./selection.ts";

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

/**
 * Refuses a target where the restore would meet something: always what has the name of an object to be restored, and,
 * without `intoNonEmpty`, any object in the target's schemas. Throws TARGET_NOT_EMPTY.
 */
export function assertFree(objects: TargetObjects, selection: RestoreSelection, intoNonEmpty: boolean): void {
  const met = meetings(objects, selection);
  if (met.length > 0) {
    throw new AppError("TARGET_NOT_EMPTY", `the target holds ${list(met)}, which would be restored`, {
      hint: `Restore under other names (--as), or remove these objects; a schema "${RECORD_PREFIX}…" on the target belongs to an unfinished restore, which goes on when it is asked for with the same backup, names and tables.`,
    });
  }
  const occupied = intoNonEmpty ? [] : targetSchemas(selection).filter((schema) => holdsAnything(objects, schema));
  if (occupied.length === 0) return;
  throw new AppError(
    "TARGET_NOT_EMPTY",
    `not empty on the target: ${list(occupied.map((name) => `schema ${quoteName(name)}`))}`,
    {
      hint: "None of its objects is among those to be restored: use --into-non-empty to restore beside them.",
    },
  );
}

function meetings(
  objects: TargetObjects,
  { mapping, tables, views, triggers, events, routines }: RestoreSelection,
): string[] {
  const met: string[] = [];
  const look = (kind: string, taken: ReadonlySet<string>, schema: string, name: string): void => {
    if (taken.has(keyOf(schema, name))) met.push(`${kind} ${quoteTable(schema, name)}`);
  };
  for (const { to } of tables) look("table", objects.tables, to.schema, to.name);
  for (const view of views) {
    const to = mapping.table(view.schema, view.name);
    look("view", objects.tables, to.schema, to.name);
  }
  for (const { schema, table, name } of triggers) {
    look("trigger", objects.triggers, mapping.table(schema, table).schema, name);
  }
  for (const { schema, name } of events) look("event", objects.events, mapping.schema(schema), name);
  for (const routine of routines) {
    const schema = mapping.schema(routine.schema);
    if (objects.routines.has(keyOfRoutine(schema, routine)))
      met.push(`${routine.kind.toLowerCase()} ${quoteTable(schema, routine.name)}`);
  }
  return met;
}

function holdsAnything(objects: TargetObjects, schema: string): boolean {
  return [objects.tables, objects.triggers, objects.events, objects.routines].some((names) =>
    [...names].some((key) => key.startsWith(keyOf(schema, ""))),
  );
}

function list(items: string[]): string {
  const rest = items.length - 3;
  return items.slice(0, 3).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
