import type { BlobRecord, Manifest } from "../../vault/manifest.ts";
import { AppError } from "../../core/errors.ts";
import { splitCreateTable, type TableParts } from "./ddl.ts";
import { assertDistinct, findByFullName, keyOf, type Mapping, readMapping, type TableName } from "./mapping.ts";
import type {
  EventModel,
  RoutineModel,
  SchemaModel,
  TableModel,
  TriggerModel,
  UserModel,
  ViewModel,
} from "./schema-model.ts";

/** A table with everything that its restore needs. */
export interface TableItem {
  model: TableModel;
  to: TableName;
  parts: TableParts;
  /** Blobs with its rows, largest first. */
  blobs: BlobRecord[];
  rows: number;
  plainBytes: number;
  fingerprint: string;
}

/** What of a backup is restored. */
export interface RestoreSelection {
  model: SchemaModel;
  mapping: Mapping;
  /** Schemas that hold anything selected; `whole` where all of it is. */
  schemas: { name: string; createSql: string; whole: boolean }[];
  tables: TableItem[];
  views: ViewModel[];
  routines: RoutineModel[];
  triggers: TriggerModel[];
  events: EventModel[];
  users: UserModel[];
}

export interface SelectionRequest {
  rename: ReadonlyMap<string, string>;
  /** `schema` or `schema.table`; absent is everything. */
  only?: readonly string[];
  users: boolean;
}

/** Finds what a request asks for. Throws TABLE_UNKNOWN, USAGE, and INVARIANT where model and manifest don't fit together. */
export function selectItems(model: SchemaModel, manifest: Manifest, request: SelectionRequest): RestoreSelection {
  const { wholeSchemas, names } = readOnly(model, request.only);
  const inWhole = ({ schema }: { schema: string }): boolean => wholeSchemas.has(schema);
  const isSelected = (item: TableName): boolean => inWhole(item) || names.has(keyOf(item.schema, item.name));
  const tables = model.tables.filter(isSelected);
  const views = model.views.filter(isSelected);
  const touched = new Set([...wholeSchemas, ...[...tables, ...views].map(({ schema }) => schema)]);
  const mapping = readMapping(model, request.rename);
  assertDistinct(mapping, [...touched], [...tables, ...views]);
  return {
    model,
    mapping,
    schemas: model.schemas
      .filter(({ name }) => touched.has(name))
      .map((schema) => ({ ...schema, whole: wholeSchemas.has(schema.name) })),
    tables: toTableItems(tables, manifest, mapping),
    views,
    routines: model.routines.filter(inWhole),
    triggers: model.triggers.filter(({ schema, table }) => isSelected({ schema, name: table })),
    events: model.events.filter(inWhole),
    users: request.users ? (model.users ?? []) : [],
  };
}

/** The schemas that get anything on the target, each once. */
export function targetSchemas({ schemas, tables, views, mapping }: RestoreSelection): string[] {
  const whole = schemas.filter((schema) => schema.whole).map(({ name }) => mapping.schema(name));
  const ofViews = views.map((view) => mapping.table(view.schema, view.name).schema);
  return [...new Set([...whole, ...tables.map(({ to }) => to.schema), ...ofViews])];
}

function readOnly(model: SchemaModel, only: readonly string[] | undefined) {
  const all = new Set(model.schemas.map(({ name }) => name));
  if (only === undefined) return { wholeSchemas: all, names: new Set<string>() };
  const wholeSchemas = new Set(only.filter((name) => all.has(name)));
  const rest = only.filter((name) => !wholeSchemas.has(name));
  const candidates: TableName[] = [...model.tables, ...model.views];
  const found = rest.map((fullName) => findByFullName(candidates, fullName));
  return { wholeSchemas, names: new Set(found.map(({ schema, name }) => keyOf(schema, name))) };
}

function toTableItems(tables: TableModel[], manifest: Manifest, mapping: Mapping): TableItem[] {
  const blobs = Map.groupBy(manifest.blobs, ({ table }) => (table ? keyOf(table.schema, table.name) : ""));
  const totals = new Map(manifest.tables.map((table) => [keyOf(table.schema, table.name), table]));
  return tables.map((model) => {
    const key = keyOf(model.schema, model.name);
    const total = totals.get(key);
    const rowBlobs = (blobs.get(key) ?? []).toSorted((a, b) => b.plainBytes - a.plainBytes);
    if (total === undefined || total.rows !== rowBlobs.reduce((sum, { rows }) => sum + (rows ?? 0), 0)) {
      throw new AppError(
        "MANIFEST_INVALID",
        `table "${model.schema}.${model.name}": its blobs don't add up to its rows`,
        {
          hint: "The manifest is signed, so the program that wrote it is defective; restore an older backup and report this.",
        },
      );
    }
    const to = mapping.table(model.schema, model.name);
    return {
      model,
      to,
      parts: splitCreateTable(model.createSql, to.name !== model.name),
      blobs: rowBlobs,
      rows: total.rows,
      plainBytes: total.plainBytes,
      fingerprint: total.fingerprint,
    };
  });
}
