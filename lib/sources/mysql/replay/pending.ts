import { createHash } from "node:crypto";
import { AppError } from "../../../core/errors.ts";
import type { MysqlConnection } from "../connection.ts";
import { quoteTable } from "../quoting.ts";
import { errorNumber } from "../restore-session.ts";
import type { Token } from "../tokens.ts";
import type { TableName } from "../mapping.ts";
import type { Pending } from "./checkpoint.ts";
import { halfWritten } from "./replay-errors.ts";

/*
 * Whether a statement that commits by itself ran before a replay was killed. Nobody else changes the restored schemas, so
 * a definition that is no longer what it was before the statement is the statement's work. Where nothing differs, running
 * it (again) is right: either it did not run, or it is one that changes nothing the second time.
 */

/** Every name in a statement, as candidates for the objects it is about. */
export function namesIn(tokens: readonly Token[]): string[] {
  const names = tokens.filter(({ kind }) => kind === "quoted" || kind === "word").map(({ text }) => text);
  return [...new Set(names)].toSorted();
}

/** Hash of what stands on the target under any of these names. */
export async function definitionHash(connection: MysqlConnection, names: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const rows of await readDefinitions(connection, names)) hash.update(JSON.stringify(rows));
  return hash.digest("hex");
}

/** Whether it ran. Throws RESTORE_FAILED where that can't be known. */
export async function isApplied(connection: MysqlConnection, pending: Pending): Promise<boolean> {
  if (pending.kind === "definition") return (await definitionHash(connection, pending.names)) !== pending.hash;
  if (pending.kind === "unrepeatable") throw halfWritten();
  const isListed = (await preparedXids(connection)).has(pending.xid);
  return pending.kind === "xa-prepare" ? isListed : !isListed;
}

/** Whether any of these tables of the target has an engine whose rows can't be taken back. */
export async function anyWithoutTransactions(
  connection: MysqlConnection,
  tables: readonly TableName[],
): Promise<boolean> {
  const pairs = tables.map(() => "(?, ?)").join(", ");
  const rows = await connection.query<"engine">(
    `SELECT DISTINCT engine AS engine FROM information_schema.tables WHERE (table_schema, table_name) IN (${pairs})`,
    tables.flatMap(({ schema, name }) => [schema, name]),
  );
  return rows.some(({ engine }) => engine?.toLowerCase() !== "innodb");
}

/** XA transactions that are prepared on the target, as the log writes them: X'…',X'…',format. */
export async function preparedXids(connection: MysqlConnection): Promise<Set<string>> {
  const rows = await connection.query<"formatID" | "gtrid_length" | "bqual_length" | "data">("XA RECOVER CONVERT XID");
  return new Set(
    rows.map((row) => {
      const hex = (row.data ?? "").replace(/^0x/i, "").toLowerCase();
      const split = 2 * Number(row.gtrid_length);
      return xidText(hex.slice(0, split), hex.slice(split), Number(row.formatID));
    }),
  );
}

export function xidText(globalHex: string, branchHex: string, formatId: number): string {
  return `X'${globalHex}',X'${branchHex}',${formatId}`;
}

async function readDefinitions(connection: MysqlConnection, names: readonly string[]): Promise<unknown[]> {
  if (names.length === 0) return [];
  const list = names.map(() => "?").join(", ");
  const select = (columns: string, from: string, name: string): Promise<unknown[]> =>
    connection.query(`SELECT ${columns} FROM information_schema.${from} WHERE ${name} IN (${list}) ORDER BY 1, 2, 3`, [
      ...names,
    ]);
  const tables = await connection.query<"s" | "n" | "t">(
    `SELECT table_schema AS s, table_name AS n, table_type AS t FROM information_schema.tables WHERE table_name IN (${list}) AND table_schema NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema') ORDER BY 1, 2`,
    [...names],
  );
  const created: unknown[] = [];
  for (const { s, n, t } of tables) created.push(s, n, await showCreate(connection, s ?? "", n ?? "", t ?? ""));
  return [
    created,
    // Two tables that swap their names differ in this only.
    await whereAllowed(() => innodbTables(connection, tables)),
    await select("schema_name, default_character_set_name, default_collation_name", "schemata", "schema_name"),
    await select(
      "routine_schema, routine_name, routine_type, SHA2(routine_definition, 256), last_altered",
      "routines",
      "routine_name",
    ),
    await select(
      "trigger_schema, trigger_name, SHA2(action_statement, 256), created, action_order",
      "triggers",
      "trigger_name",
    ),
    await select("event_schema, event_name, SHA2(event_definition, 256), status, last_altered", "events", "event_name"),
    await whereAllowed(() =>
      connection.query(`SELECT user, host FROM mysql.user WHERE user IN (${list}) ORDER BY 1, 2`, [...names]),
    ),
  ];
}

async function innodbTables(
  connection: MysqlConnection,
  tables: readonly { s: string | null; n: string | null }[],
): Promise<unknown> {
  if (tables.length === 0) return [];
  const paths = tables.map(({ s, n }) => `${s}/${n}`);
  return connection.query(
    `SELECT name, table_id FROM information_schema.innodb_tables WHERE name IN (${paths.map(() => "?").join(", ")}) ORDER BY 1`,
    paths,
  );
}

async function showCreate(connection: MysqlConnection, schema: string, name: string, type: string): Promise<unknown> {
  const kind = type === "VIEW" ? "VIEW" : "TABLE";
  try {
    return await connection.query(`SHOW CREATE ${kind} ${quoteTable(schema, name)}`);
  } catch (error: unknown) {
    // A view on something that is gone; its own text is what it was.
    return errorNumber(error);
  }
}

async function whereAllowed(read: () => Promise<unknown>): Promise<unknown> {
  try {
    return await read();
  } catch (error: unknown) {
    if (error instanceof AppError && error.code === "SOURCE_GRANT_MISSING") return null;
    throw error;
  }
}
