import type { Mapping, TableName } from "../mapping.ts";
import { keyOf } from "../mapping.ts";

/** What of a log is replayed, and under which names. */
export interface ReplayScope {
  /** Where rows of a table go; undefined where they are left out. */
  table(from: TableName): TableName | undefined;
  /** Where what belongs to a schema as a whole goes; undefined where it is left out. */
  schema(from: string): string | undefined;
  /** Whether every table of the schema is replayed. */
  isWhole(schema: string): boolean;
  /** Schemas whose name changes. */
  readonly renamedSchemas: ReadonlySet<string>;
  /** Something is renamed, so that statements have to be rewritten. */
  readonly renames: boolean;
  /** Tables of schemas that are replayed whole are left out. */
  readonly excludes: boolean;
  /** Accounts and their rights are replayed. */
  readonly accounts: boolean;
}

export interface ScopeRequest {
  /** Schemas that come back whole. Undefined is all but the server's own. */
  schemas?: readonly string[];
  /** Single tables of other schemas. */
  tables?: readonly TableName[];
  /** Tables that the backup never had, `schema.table` each. */
  exclude?: readonly string[];
  mapping?: Mapping;
  accounts?: boolean;
}

const SERVER_SCHEMAS = new Set(["mysql", "sys", "information_schema", "performance_schema"]);

const SAME_NAMES: Mapping = {
  schema: (name) => name,
  table: (schema, name) => ({ schema, name }),
  renamedSchemas: new Set(),
};

export function replayScope(request: ScopeRequest = {}): ReplayScope {
  const { mapping = SAME_NAMES, accounts = false } = request;
  const schemas = request.schemas === undefined ? undefined : new Set(request.schemas);
  const tables = new Map((request.tables ?? []).map((table) => [keyOf(table.schema, table.name), table]));
  const touched = new Set((request.tables ?? []).map(({ schema }) => schema));
  const isWhole = (schema: string): boolean => schemas?.has(schema) ?? !SERVER_SCHEMAS.has(schema);
  const renames =
    mapping.renamedSchemas.size > 0 ||
    [...tables.values()].some(({ schema, name }) => {
      const to = mapping.table(schema, name);
      return to.schema !== schema || to.name !== name;
    });
  const excluded = new Set(request.exclude);
  const isReplayed = ({ schema, name }: TableName): boolean =>
    (isWhole(schema) && !excluded.has(`${schema}.${name}`)) || tables.has(keyOf(schema, name));
  return {
    table: (from) => (isReplayed(from) ? mapping.table(from.schema, from.name) : undefined),
    schema: (name) => (isWhole(name) || touched.has(name) ? mapping.schema(name) : undefined),
    isWhole,
    renamedSchemas: mapping.renamedSchemas,
    renames,
    excludes: excluded.size > 0,
    accounts,
  };
}
