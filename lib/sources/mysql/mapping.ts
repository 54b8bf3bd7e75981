import { AppError } from "../../core/errors.ts";
import type { SchemaModel } from "./schema-model.ts";
import { SYSTEM_SCHEMAS } from "./schema.ts";

export interface TableName {
  schema: string;
  name: string;
}

/** Under which names a backup's objects come back. */
export interface Mapping {
  schema(name: string): string;
  table(schema: string, name: string): TableName;
  /** Schemas of the backup that get another name. */
  readonly renamedSchemas: ReadonlySet<string>;
}

const LONGEST_NAME = 64;

/**
 * Reads a request's renames: `schema` → `new schema`, and `schema.table` → `new table` or `other schema.new table`.
 * Throws TABLE_UNKNOWN for names that the backup lacks, and USAGE for new names that can't be.
 */
export function readMapping(model: SchemaModel, rename: ReadonlyMap<string, string>): Mapping {
  const schemas = new Map<string, string>();
  const tables = new Map<string, TableName>();
  for (const [from, to] of rename) {
    if (model.schemas.some(({ name }) => name === from)) schemas.set(from, assertNewName(to));
  }
  const schema = (name: string): string => schemas.get(name) ?? name;
  for (const [from, to] of rename) {
    if (schemas.has(from)) continue;
    const table = findByFullName(model.tables, from);
    tables.set(keyOf(table.schema, table.name), readNewTable(to, schema(table.schema)));
  }
  return {
    schema,
    table: (schemaName, name) => tables.get(keyOf(schemaName, name)) ?? { schema: schema(schemaName), name },
    renamedSchemas: new Set([...schemas].filter(([from, to]) => from !== to).map(([from]) => from)),
  };
}

/** The one object called `schema.name` as a whole; dots in names are no trouble, as only names that exist are looked for. */
export function findByFullName<Item extends TableName>(items: readonly Item[], fullName: string): Item {
  const found = items.filter(({ schema, name }) => `${schema}.${name}` === fullName);
  const [item] = found;
  if (item !== undefined && found.length === 1) return item;
  const what = found.length === 0 ? "names no schema or table of this backup" : "names more than one table";
  throw new AppError("TABLE_UNKNOWN", `"${fullName}" ${what}`, {
    hint: 'Write "schema" or "schema.table" with the names as they were at the time of the backup.',
  });
}

/** Throws USAGE where two of the objects that are restored would get the same name. */
export function assertDistinct(mapping: Mapping, schemas: readonly string[], tables: readonly TableName[]): void {
  const taken = new Map<string, string>();
  const claim = (to: string, from: string): void => {
    const other = taken.get(to);
    if (other !== undefined) {
      throw new AppError("USAGE", `${other} and ${from} would get the same name on the target`, {
        hint: "Give each schema and table a name of its own.",
      });
    }
    taken.set(to, from);
  };
  for (const schema of schemas) claim(mapping.schema(schema), `schema "${schema}"`);
  for (const { schema, name } of tables) {
    const to = mapping.table(schema, name);
    claim(keyOf(to.schema, to.name), `"${schema}.${name}"`);
  }
}

/** One text for a pair of names; no two pairs share it, as names hold no NUL. */
export function keyOf(schema: string, name: string): string {
  return `${schema}\0${name}`;
}

function readNewTable(text: string, schema: string): TableName {
  const dot = text.indexOf(".");
  if (dot < 0) return { schema, name: assertNewName(text) };
  return { schema: assertNewName(text.slice(0, dot)), name: assertNewName(text.slice(dot + 1)) };
}

function assertNewName(name: string): string {
  const fits = name !== "" && [...name].length <= LONGEST_NAME && !name.endsWith(" ") && !name.includes("\0");
  if (fits && !SYSTEM_SCHEMAS.has(name.toLowerCase())) return name;
  throw new AppError("USAGE", `"${name}" can't be a new name`, {
    hint: "A name has 1 to 64 characters, does not end with a blank, and is not one of the server's own schemas.",
  });
}
