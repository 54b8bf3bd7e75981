import { AppError } from "../../core/errors.ts";
import type { MysqlConnection } from "./connection.ts";
import { keyOf } from "./mapping.ts";
import { RECORD_PREFIX } from "./restore-record.ts";
import type { RoutineModel } from "./schema-model.ts";
import { type Selection, targetSchemas } from "./selection.ts";

/** What stands in some schemas of the target; pairs of names by `keyOf`. */
export interface TargetObjects {
  schemas: ReadonlySet<string>;
  /** Tables and views: they share names. */
  tables: ReadonlySet<string>;
  triggers: ReadonlySet<string>;
  events: ReadonlySet<string>;
  procedures: ReadonlySet<string>;
  functions: ReadonlySet<string>;
}

/** Reads the names of everything in `schemas` that the account may see. */
export async function readTargetObjects(connection: MysqlConnection, schemas: string[]): Promise<TargetObjects> {
  const read = async (columns: string, from: string, schemaColumn: string): Promise<Set<string>> => {
    if (schemas.length === 0) return new Set();
    const sql = `SELECT ${columns} FROM information_schema.${from} ${from.includes("WHERE") ? "AND" : "WHERE"} ${schemaColumn} IN (${schemas.map(() => "?").join(", ")})`;
    const rows = await connection.query<"a" | "b">(sql, schemas);
    return new Set(rows.map(({ a, b }) => (b === undefined ? (a ?? "") : keyOf(a ?? "", b ?? ""))));
  };
  const routines = (kind: string): string => `routines WHERE routine_type = '${kind}'`;
  return {
    schemas: await read("schema_name AS a", "schemata", "schema_name"),
    tables: await read("table_schema AS a, table_name AS b", "tables", "table_schema"),
    triggers: await read("trigger_schema AS a, trigger_name AS b", "triggers", "trigger_schema"),
    events: await read("event_schema AS a, event_name AS b", "events", "event_schema"),
    procedures: await read("routine_schema AS a, routine_name AS b", routines("PROCEDURE"), "routine_schema"),
    functions: await read("routine_schema AS a, routine_name AS b", routines("FUNCTION"), "routine_schema"),
  };
}

/** Whether a procedure or function of that name stands on the target. */
export function hasRoutine(objects: TargetObjects, schema: string, { kind, name }: RoutineModel): boolean {
  return (kind === "PROCEDURE" ? objects.procedures : objects.functions).has(keyOf(schema, name));
}

/**
 * Refuses a target where the restore would meet something: always what has the name of an object to be restored, and,
 * without `intoNonEmpty`, any object in the target's schemas. Throws TARGET_NOT_EMPTY.
 */
export function assertFree(objects: TargetObjects, selection: Selection, intoNonEmpty: boolean): void {
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
    `the target's ${list(occupied.map((name) => `schema \`${name}\``))} not empty`,
    {
      hint: "None of its objects is among those to be restored: use --into-non-empty to restore beside them.",
    },
  );
}

function meetings(objects: TargetObjects, { mapping, tables, views, triggers, events, routines }: Selection): string[] {
  const met: string[] = [];
  const look = (kind: string, taken: ReadonlySet<string>, schema: string, name: string): void => {
    if (taken.has(keyOf(schema, name))) met.push(`${kind} \`${schema}\`.\`${name}\``);
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
    const taken = routine.kind === "PROCEDURE" ? objects.procedures : objects.functions;
    look(routine.kind.toLowerCase(), taken, mapping.schema(routine.schema), routine.name);
  }
  return met;
}

function holdsAnything(objects: TargetObjects, schema: string): boolean {
  const { tables, triggers, events, procedures, functions } = objects;
  return [tables, triggers, events, procedures, functions].some((names) =>
    [...names].some((key) => key.startsWith(keyOf(schema, ""))),
  );
}

function list(items: string[]): string {
  const rest = items.length - 3;
  return items.slice(0, 3).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
