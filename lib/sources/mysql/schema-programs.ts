import { AppError } from "../../core/errors.ts";
import type { MysqlConnection, TextRow } from "./connection.ts";
import { quoteList, quoteName, quoteTable } from "./quoting.ts";
import type { EventModel, ProgramContext, RoutineModel, SchemaModel, TriggerModel } from "./schema-model.ts";

type ContextNames = "sqlMode" | "charset" | "collation" | "databaseCollation" | "definer";

const CONTEXT = `sql_mode AS sqlMode, character_set_client AS charset, collation_connection AS collation,
  database_collation AS databaseCollation, definer AS definer`;

/** Reads triggers, routines and events of some schemas; triggers in the order in which they fire. */
export async function readPrograms(
  connection: MysqlConnection,
  schemas: readonly string[],
): Promise<Pick<SchemaModel, "routines" | "triggers" | "events">> {
  const list = quoteList(schemas);
  return {
    routines: await readRoutines(connection, list),
    triggers: await readTriggers(connection, list),
    events: await readEvents(connection, list),
  };
}

async function readRoutines(connection: MysqlConnection, list: string): Promise<RoutineModel[]> {
  const rows = await connection.query<ContextNames | "schema" | "name" | "kind">(
    `SELECT routine_schema AS \`schema\`, routine_name AS name, routine_type AS kind, ${CONTEXT}
      FROM information_schema.routines WHERE routine_schema IN (${list})
      ORDER BY routine_schema, routine_type, routine_name`,
  );
  const routines: RoutineModel[] = [];
  for (const row of rows) {
    const [schema, name, kind] = [row.schema ?? "", row.name ?? "", row.kind ?? ""];
    if (kind !== "PROCEDURE" && kind !== "FUNCTION" && kind !== "LIBRARY") {
      throw new AppError("SOURCE_UNSUPPORTED", `routine ${quoteTable(schema, name)} is of the unknown kind ${kind}`);
    }
    const createSql = await showCreate(connection, kind, schema, name);
    routines.push({ schema, name, kind, createSql, ...contextOf(row) });
  }
  return routines;
}

async function readTriggers(connection: MysqlConnection, list: string): Promise<TriggerModel[]> {
  const rows = await connection.query<ContextNames | "schema" | "table" | "name" | "timing" | "event" | "order">(
    `SELECT trigger_schema AS \`schema\`, event_object_table AS \`table\`, trigger_name AS name,
      action_timing AS timing, event_manipulation AS event, action_order AS \`order\`, ${CONTEXT}
      FROM information_schema.triggers WHERE trigger_schema IN (${list})
      ORDER BY trigger_schema, event_object_table, action_timing, event_manipulation, action_order`,
  );
  const triggers: TriggerModel[] = [];
  for (const row of rows) {
    const [schema, name] = [row.schema ?? "", row.name ?? ""];
    triggers.push({
      schema,
      table: row.table ?? "",
      name,
      createSql: await showCreate(connection, "TRIGGER", schema, name),
      timing: row.timing ?? "",
      event: row.event ?? "",
      order: Number(row.order),
      ...contextOf(row),
    });
  }
  return triggers;
}

async function readEvents(connection: MysqlConnection, list: string): Promise<EventModel[]> {
  const rows = await connection.query<ContextNames | "schema" | "name" | "timeZone" | "status">(
    `SELECT event_schema AS \`schema\`, event_name AS name, time_zone AS timeZone, status AS status, ${CONTEXT}
      FROM information_schema.events WHERE event_schema IN (${list}) ORDER BY event_schema, event_name`,
  );
  const events: EventModel[] = [];
  for (const row of rows) {
    const [schema, name] = [row.schema ?? "", row.name ?? ""];
    const createSql = await showCreate(connection, "EVENT", schema, name);
    events.push({
      schema,
      name,
      createSql,
      timeZone: row.timeZone ?? "",
      status: row.status ?? "",
      ...contextOf(row),
    });
  }
  return events;
}

function contextOf(row: TextRow<ContextNames>): ProgramContext {
  return {
    sqlMode: row.sqlMode ?? "",
    charset: row.charset ?? "",
    collationConnection: row.collation ?? "",
    databaseCollation: row.databaseCollation ?? "",
    definer: row.definer ?? "",
  };
}

const STATEMENT_COLUMNS = {
  PROCEDURE: "Create Procedure",
  FUNCTION: "Create Function",
  LIBRARY: "Create Library",
  TRIGGER: "SQL Original Statement",
  EVENT: "Create Event",
} as const;

/** The server shows NULL instead of the text to who may not see it. */
async function showCreate(
  connection: MysqlConnection,
  kind: keyof typeof STATEMENT_COLUMNS,
  schema: string,
  name: string,
): Promise<string> {
  const [row] = await connection.query(`SHOW CREATE ${kind} ${quoteName(schema)}.${quoteName(name)}`);
  const text = row?.[STATEMENT_COLUMNS[kind]];
  if (text !== undefined && text !== null) return text;
  throw new AppError("SOURCE_GRANT_MISSING", `${kind.toLowerCase()} ${quoteTable(schema, name)}: its text is hidden`, {
    hint: "GRANT SHOW_ROUTINE ON *.*, and TRIGGER and EVENT on the databases, to the backup's user.",
  });
}
