import type { Check } from "../engine.ts";
import type { MysqlConnection } from "./connection.ts";
import { splitCreateTable } from "./ddl.ts";
import { planForeignKeys, type PlannedKey, tableExists } from "./foreign-keys.ts";
import { keyOf, type Mapping } from "./mapping.ts";
import { listPrograms, type Program } from "./programs.ts";
import { quoteTable } from "./quoting.ts";
import { renameForeignKey, renameSchema } from "./rename.ts";
import type { SchemaModel, TableModel } from "./schema-model.ts";
import type { RestoreSelection, TableItem } from "./selection.ts";
import { tokenize } from "./tokens.ts";

const SAME = "as in the backup";
const ABSENT = "absent";

/**
 * Compares schemas, tables (columns, indexes, checks, options, foreign keys, counters), views, routines, triggers and events
 * one by one, under their new names. What the new names leave behind is not expected.
 */
export async function compareDefinitions(
  connection: MysqlConnection,
  selection: RestoreSelection,
  found: SchemaModel,
): Promise<Check[]> {
  const { keys } = await planForeignKeys(selection, (table) => tableExists(connection, table));
  const tables = new Map(found.tables.map((table) => [keyOf(table.schema, table.name), table]));
  return [
    ...selection.schemas.filter(({ whole }) => whole).map((schema) => schemaCheck(schema, selection, found)),
    ...selection.tables.flatMap((item) => tableChecks(item, keys, tables.get(keyOf(item.to.schema, item.to.name)))),
    ...programChecks(selection, found),
  ];
}

function schemaCheck(
  schema: { name: string; createSql: string },
  { mapping }: RestoreSelection,
  found: SchemaModel,
): Check {
  const name = mapping.schema(schema.name);
  const other = found.schemas.find((candidate) => candidate.name === name)?.createSql;
  return textCheck(`schema ${name}`, renameSchema(schema.createSql, name), other);
}

function tableChecks(item: TableItem, keys: readonly PlannedKey[], found: TableModel | undefined): Check[] {
  const name = quoteTable(item.to.schema, item.to.name);
  if (found === undefined) return [{ name: `${name}: definition`, expected: SAME, found: ABSENT, ok: false }];
  const own = keys.filter(({ table }) => table.schema === item.to.schema && table.name === item.to.name);
  const expectedLines = [...linesOf(item.parts), ...own.map(({ clause }) => clause).toSorted()];
  const parts = splitCreateTable(found.createSql, item.to.name !== item.model.name);
  const foundKeys = parts.foreignKeys.map((key) =>
    renameForeignKey(key, key.name, { schema: key.references.schema ?? found.schema, name: key.references.table }),
  );
  const counter = { expected: item.model.autoIncrement ?? "none", found: found.autoIncrement ?? "none" };
  return [
    lineCheck(`${name}: definition`, expectedLines, [...linesOf(parts), ...foundKeys.toSorted()]),
    { name: `${name}: AUTO_INCREMENT`, ...counter, ok: counter.expected === counter.found },
  ];
}

/**
 * Columns, keys and checks in their order, and the options without the counter, which is compared apart. A collation implies
 * its character set, which the server writes beside it or not, depending on how the column was first declared.
 */
function linesOf({ kept, indexes, options }: TableItem["parts"]): string[] {
  const elements = [...kept, ...indexes.map(({ sql }) => sql)];
  const columns = elements.map((line) => line.replace(/ CHARACTER SET \w+ COLLATE /, " COLLATE "));
  return [...columns, options.replace(/ AUTO_INCREMENT=\d+/, "")];
}

function programChecks(selection: RestoreSelection, found: SchemaModel): Check[] {
  const asFound = new Map(listPrograms({ ...found, mapping: SAME_NAMES }).map((program) => [program.object, program]));
  return listPrograms(selection).flatMap((program) => {
    if ("reason" in program.renamed) return [];
    const other = asFound.get(program.object);
    return [textCheck(program.object, textOf(program), other && textOf(other))];
  });
}

const SAME_NAMES: Mapping = {
  schema: (name) => name,
  table: (schema, name) => ({ schema, name }),
  renamedSchemas: new Set(),
};

/** A program's text with the session state that gives it its meaning. */
function textOf({ renamed, session }: Program): string {
  const { sqlMode = "", collationConnection, timeZone = "" } = session;
  // Sent among other statements, a program can have kept its closing semicolon.
  const text = "sql" in renamed ? renamed.sql.replace(/;\s*$/, "") : "";
  return `${text}\n[${sqlMode}, ${collationConnection}, ${timeZone}]`;
}

function lineCheck(name: string, expected: readonly string[], found: readonly string[]): Check {
  const at = expected.findIndex((line, index) => !sameText(line, found[index] ?? ""));
  const index = at < 0 ? Math.min(expected.length, found.length) : at;
  const ok = at < 0 && expected.length === found.length;
  return ok
    ? { name, expected: SAME, found: SAME, ok }
    : { name, expected: expected[index] ?? ABSENT, found: found[index] ?? ABSENT, ok };
}

function textCheck(name: string, expected: string, found: string | undefined): Check {
  if (found === undefined) return { name, expected: SAME, found: ABSENT, ok: false };
  const ok = sameText(expected, found);
  return ok ? { name, expected: SAME, found: SAME, ok } : { name, expected, found, ok };
}

/** Whether two texts say the same, however they are laid out. */
function sameText(a: string, b: string): boolean {
  return a === b || wordsOf(a) === wordsOf(b);
}

function wordsOf(sql: string): string {
  return tokenize(sql)
    .map(({ kind, text }) => `${kind} ${text}`)
    .join("\n");
}
