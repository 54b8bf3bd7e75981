import type { MysqlConnection } from "./connection.ts";
import { listEvents, listPrograms, leftBehind, type NotCarriedOver, type Program } from "./programs.ts";
import { quoteName, quoteString, quoteTable } from "./quoting.ts";
import { errorNumber, refusalOf, resetSession, toRestoreError } from "./restore-session.ts";
import { type RestoreSelection, targetSchemas } from "./selection.ts";
import { readTargetObjects } from "./target-objects.ts";

const EVENT_IN_THE_PAST = 1589;

export interface ProgramOrigin {
  /** When the backup was taken. */
  consistentAt: Date;
  /** Schemas of the target that the restore made itself: only their defaults may change, and only for a moment. */
  ownSchemas: ReadonlySet<string>;
}

/**
 * Makes routines, views, triggers and events; events stay disabled. What is there already was made by an interrupted run.
 * What the server refuses (a view over a table that is gone, say) does not stop the others: it is returned, with what the
 * new names leave behind.
 */
export async function createPrograms(
  connection: MysqlConnection,
  selection: RestoreSelection,
  origin: ProgramOrigin,
): Promise<NotCarriedOver[]> {
  const objects = await readTargetObjects(connection, targetSchemas(selection));
  const refused = new Map<Program, string>();
  const attempt = async (program: Program): Promise<void> => {
    const reason = await create(connection, program, origin);
    if (reason === undefined) refused.delete(program);
    else refused.set(program, reason);
  };
  for (const program of listPrograms(selection)) if (!program.isOn(objects)) await attempt(program);
  // What a view reads can be hidden in a function that it calls: as long as that helps, the refused ones get another try.
  for (let before = Infinity; ;) {
    const views = [...refused.keys()].filter(({ kind }) => kind === "view");
    if (views.length === 0 || views.length >= before) break;
    before = views.length;
    for (const view of views) await attempt(view);
  }
  return [...[...refused].map(([{ object }, reason]) => ({ object, reason })), ...leftBehind(selection)];
}

/** Gives events the status that they had. An event whose only time has passed stays disabled. */
export async function enableEvents(connection: MysqlConnection, selection: RestoreSelection): Promise<void> {
  const objects = await readTargetObjects(connection, targetSchemas(selection));
  for (const event of listEvents(selection)) {
    const status = STATUS[event.model.status];
    if (status === undefined || !event.isOn(objects)) continue;
    const definer = quoteAccount(event.model.definer);
    const sql = `ALTER DEFINER = ${definer} EVENT ${quoteTable(event.schema, event.name)} ${status}`;
    try {
      await runAs(connection, event, sql);
    } catch (error: unknown) {
      if (errorNumber(error) !== EVENT_IN_THE_PAST) throw toRestoreError(error, event.object);
    }
  }
}

const STATUS: Readonly<Record<string, string>> = {
  ENABLED: "ENABLE",
  REPLICA_SIDE_DISABLED: "DISABLE ON REPLICA",
  SLAVESIDE_DISABLED: "DISABLE ON REPLICA",
};

/** Makes one program. Returns why it is not there as it was: the server refused it, or its time has passed. */
async function create(
  connection: MysqlConnection,
  program: Program,
  { consistentAt, ownSchemas }: ProgramOrigin,
): Promise<string | undefined> {
  if ("reason" in program.renamed) return undefined;
  const { sql } = program.renamed;
  const run = (now?: Date) => runAs(connection, program, sql, now);
  const refusal = await refusalOf(() =>
    ownSchemas.has(program.schema) ? withCollation(connection, program, run) : run(),
  );
  if (refusal !== undefined || program.kind !== "event" || (await eventExists(connection, program))) return refusal;
  // The server drops an event that has nothing left to do as soon as it is made, unless it is made at its own time.
  return (await refusalOf(() => run(consistentAt))) ?? "its time has passed since the backup: it is there, disabled";
}

async function eventExists(connection: MysqlConnection, { schema, name }: Program): Promise<boolean> {
  const sql = "SELECT 1 AS found FROM information_schema.events WHERE event_schema = ? AND event_name = ?";
  return (await connection.query(sql, [schema, name])).length > 0;
}

/** Runs a statement under a program's session state, in its schema. */
async function runAs(connection: MysqlConnection, program: Program, sql: string, now?: Date): Promise<void> {
  const { sqlMode, charset, collationConnection, timeZone } = program.session;
  const settings = [`collation_connection = ${quoteString(collationConnection)}`];
  if (sqlMode !== undefined) settings.push(`sql_mode = ${quoteString(sqlMode)}`);
  if (timeZone !== undefined) settings.push(`time_zone = ${quoteString(timeZone)}`);
  // The text is sent as UTF-8. Which other character set its author's client had makes no difference to its meaning.
  if (charset.startsWith("utf8") || isAscii(sql)) settings.push(`character_set_client = ${quoteString(charset)}`);
  if (now !== undefined) settings.push(`timestamp = ${now.getTime() / 1000}`);
  await connection.execute(`USE ${quoteName(program.schema)}`);
  try {
    await connection.execute(`SET SESSION ${settings.join(", ")}`);
    await connection.execute(sql);
  } finally {
    await resetSession(connection);
  }
}

/** A program keeps its schema's collation of the day when it was made, so the schema goes back to that day for a moment. */
async function withCollation(connection: MysqlConnection, program: Program, run: () => Promise<void>): Promise<void> {
  const wanted = program.session.databaseCollation;
  const [row] = await connection.query<"collation">(
    "SELECT default_collation_name AS collation FROM information_schema.schemata WHERE schema_name = ?",
    [program.schema],
  );
  const current = row?.collation ?? undefined;
  if (wanted === undefined || current === undefined || wanted === current) return run();
  const setCollation = (collation: string) =>
    connection.execute(`ALTER DATABASE ${quoteName(program.schema)} COLLATE ${quoteName(collation)}`);
  await setCollation(wanted);
  try {
    await run();
  } finally {
    await setCollation(current);
  }
}

/** `user@host` as a definer clause; a user's name can hold "@", a host's can't. */
function quoteAccount(account: string): string {
  const at = account.lastIndexOf("@");
  return `${quoteString(account.slice(0, at))}@${quoteString(account.slice(at + 1))}`;
}

function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}
