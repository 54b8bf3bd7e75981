import type { MysqlConnection } from "./connection.ts";
import type { ForeignKey } from "./ddl.ts";
import { keyOf, type TableName } from "./mapping.ts";
import type { NotCarriedOver } from "./programs.ts";
import { quoteList, quoteName, quoteTable } from "./quoting.ts";
import { renameForeignKey } from "./rename.ts";
import { errorNumber, toRestoreError } from "./restore-session.ts";
import { type RestoreSelection, type TableItem, targetSchemas } from "./selection.ts";

/** A foreign key under its new names. */
export interface PlannedKey {
  table: TableName;
  name: string;
  references: TableName;
  /** `ADD CONSTRAINT …` */
  clause: string;
  /** Whether all that it refers to was restored with it, so that its rows are known to fit. */
  isProven: boolean;
}

const DUPLICATE_NAME = 1826;

/** The foreign keys of a selection; a key to a table that is not restored is there only where `has` finds that table. */
export async function planForeignKeys(
  selection: RestoreSelection,
  has: (table: TableName) => Promise<boolean>,
): Promise<{ keys: PlannedKey[]; left: NotCarriedOver[] }> {
  const restored = new Set(selection.tables.map(({ model }) => keyOf(model.schema, model.name)));
  const whole = new Set(selection.schemas.filter((schema) => schema.whole).map(({ name }) => name));
  const keys: PlannedKey[] = [];
  const left: NotCarriedOver[] = [];
  for (const table of selection.tables) {
    for (const [index, key] of table.parts.foreignKeys.entries()) {
      const schema = key.references.schema ?? table.model.schema;
      const references = selection.mapping.table(schema, key.references.table);
      // A key to a table that its own whole schema lacks has no parent at the source either.
      const isProven = restored.has(keyOf(schema, key.references.table)) || whole.has(schema);
      const name = nameOf(table, key, index);
      if (isProven || (await has(references))) {
        keys.push({ table: table.to, name, references, clause: renameForeignKey(key, name, references), isProven });
      } else {
        const parent = quoteTable(references.schema, references.name);
        left.push({
          object: describe(table.to, name),
          reason: `it refers to ${parent}, which is neither restored nor there`,
        });
      }
    }
  }
  return { keys, left };
}

/** Adds the foreign keys that are not there yet, when every table is. Returns those that can't be. */
export async function addForeignKeys(
  connection: MysqlConnection,
  selection: RestoreSelection,
): Promise<NotCarriedOver[]> {
  const { keys, left } = await planForeignKeys(selection, (table) => tableExists(connection, table));
  const present = await readForeignKeyNames(connection, targetSchemas(selection));
  const missing = keys.filter(({ table, name }) => !present.has(keyOf(table.schema, name)));
  const proven = Map.groupBy(
    missing.filter(({ isProven }) => isProven),
    ({ table }) => quoteTable(table.schema, table.name),
  );
  for (const [table, tableKeys] of proven) {
    await add(connection, table, tableKeys.map(({ clause }) => clause).join(", "));
  }
  for (const key of missing.filter(({ isProven }) => !isProven)) left.push(...(await addChecked(connection, key)));
  return left;
}

/** Rows that were not restored together may not fit: the server looks at each. */
async function addChecked(connection: MysqlConnection, key: PlannedKey): Promise<NotCarriedOver[]> {
  await connection.execute("SET SESSION foreign_key_checks = 1");
  try {
    await add(connection, quoteTable(key.table.schema, key.table.name), key.clause);
    return [];
  } catch (error: unknown) {
    if (errorNumber(error) !== ROW_WITHOUT_PARENT) throw error;
    const parent = quoteTable(key.references.schema, key.references.name);
    return [{ object: describe(key.table, key.name), reason: `rows without a parent in ${parent} of the target` }];
  } finally {
    await connection.execute("SET SESSION foreign_key_checks = 0");
  }
}

const ROW_WITHOUT_PARENT = 1452;

async function add(connection: MysqlConnection, table: string, clauses: string): Promise<void> {
  try {
    await connection.execute(`ALTER TABLE ${table} ${clauses}`);
  } catch (error: unknown) {
    // The statement of an interrupted run can end after this one looked.
    if (errorNumber(error) === DUPLICATE_NAME) return;
    throw errorNumber(error) === ROW_WITHOUT_PARENT ? error : toRestoreError(error, `foreign keys of ${table}`);
  }
}

/** Whether the target has a table of that name. */
export async function tableExists(connection: MysqlConnection, { schema, name }: TableName): Promise<boolean> {
  const sql = "SELECT 1 AS found FROM information_schema.tables WHERE table_schema = ? AND table_name = ?";
  return (await connection.query(sql, [schema, name])).length > 0;
}

async function readForeignKeyNames(connection: MysqlConnection, schemas: string[]): Promise<Set<string>> {
  const rows = await connection.query<"s" | "n">(
    `SELECT constraint_schema AS s, constraint_name AS n FROM information_schema.referential_constraints
      WHERE constraint_schema IN (${quoteList(schemas)})`,
  );
  return new Set(rows.map(({ s, n }) => keyOf(s ?? "", n ?? "")));
}

/** Names of keys are unique in a schema, where the original table can be too: a renamed table's get the server's kind of name. */
function nameOf({ model, to }: TableItem, key: ForeignKey, index: number): string {
  return model.name === to.name ? key.name : `${to.name}_ibfk_${index + 1}`;
}

function describe(table: TableName, name: string): string {
  return `foreign key ${quoteName(name)} of ${quoteTable(table.schema, table.name)}`;
}
