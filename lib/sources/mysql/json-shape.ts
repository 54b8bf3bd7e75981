import type { MysqlConnection } from "./connection.ts";
import { countNumbersSql } from "./json-numbers.ts";
import { quoteName, quoteString, quoteTable } from "./quoting.ts";
import type { TableModel } from "./schema-model.ts";

/*
 * To prove that text brings a JSON document back, every scalar must be looked at, and the server's general way to do that
 * costs ten times as much as printing the document. Documents of one column mostly look alike: so some are sampled, and
 * the server is asked for what they have.
 *
 * The proof asks for all places of the sampled documents, and whether those are all there are. Cheaper, where no string
 * looks like a time: the server counts the numbers that are plain, the kernel counts the numbers in the text, and when
 * both are the same, there is no other (json-numbers.ts).
 */

/** What was seen at one place of the sampled documents. */
export interface JsonShape {
  /** JSON_TYPEs of scalars seen here, of those that text brings back. */
  scalars: Set<string>;
  keys: Map<string, JsonShape>;
  items: JsonShape[];
  /** Whether an object or array was seen here. */
  isContainer: boolean;
}

/** What a sample of a JSON column is good for. */
export interface JsonHint {
  /** SQL that is true only for documents without scalars that need care. */
  proof?: string;
  /** SQL that counts numbers which need no care: see json-numbers.ts. */
  numbers?: string;
}

/** By column name. A column without a hint costs time, and nothing else. */
export type JsonHints = ReadonlyMap<string, JsonHint>;

const SAMPLES_AT_EACH_END = 50;
const MAX_SAMPLE_BYTES = 16_384;
/** Rows that do not fit into the kernel's input have to be read twice for their numbers to be counted. */
const LONG_ROW_BYTES = 65_536;
/** Each place costs the server about 0.15 µs a row; the general way costs 10 µs and more. */
const MAX_PLACES = 64;
const MAX_ITEMS = 16;

/** Samples the JSON columns of a table. */
export async function readJsonHints(connection: MysqlConnection, table: TableModel): Promise<JsonHints> {
  const hints = new Map<string, JsonHint>();
  const isLong = table.dataBytes / Math.max(1, table.rowsEstimate) > LONG_ROW_BYTES;
  for (const { name, type, generated } of table.columns) {
    if (type !== "json" || generated) continue;
    const texts = await readSample(connection, table, name);
    const shape = shapeOf(texts.map((text): unknown => JSON.parse(text)));
    const numbers = isLong ? undefined : countNumbersSql(name, texts);
    hints.set(name, { ...(shape && { proof: proofSql(name, shape) }), ...(numbers !== undefined && { numbers }) });
  }
  return hints;
}

/** The common shape of some documents; undefined when there are none, or they are too different for one. */
export function shapeOf(documents: readonly unknown[]): JsonShape | undefined {
  const shape = emptyShape();
  const budget = { places: MAX_PLACES };
  for (const document of documents) learn(shape, document, budget);
  return documents.length === 0 || budget.places < 0 ? undefined : shape;
}

/**
 * True when every child of every container is at a place of the shape and of a type seen there. The count of children
 * decides: an object or array has as many as were found and are fine. A place that is absent is NULL and counts 0.
 */
export function proofSql(columnName: string, shape: JsonShape): string {
  const column = quoteName(columnName);
  const prove = (here: JsonShape, path: string): string => {
    const place = path === "$" ? column : `JSON_EXTRACT(${column}, ${quoteString(path)})`;
    const ways: string[] = [];
    if (here.scalars.size > 0) ways.push(`JSON_TYPE(${place}) ${oneOf([...here.scalars])}`);
    if (here.isContainer) {
      const children = [
        ...[...here.keys].map(([key, child]) => prove(child, `${path}.${JSON.stringify(key)}`)),
        ...here.items.map((child, index) => prove(child, `${path}[${index}]`)),
      ];
      const found = children.map((child) => `IFNULL(${child}, 0)`).join(" + ") || "0";
      ways.push(`JSON_LENGTH(${column}, ${quoteString(path)}) = ${found}`);
    }
    return `(${ways.join(" OR ")})`;
  };
  return prove(shape, "$");
}

function oneOf(types: readonly string[]): string {
  return types.length === 1 ? `= '${types[0]}'` : `IN (${types.map((type) => `'${type}'`).join(", ")})`;
}

function emptyShape(): JsonShape {
  return { scalars: new Set(), keys: new Map(), items: [], isContainer: false };
}

function learn(shape: JsonShape, value: unknown, budget: { places: number }): void {
  const child = (): JsonShape => {
    budget.places -= 1;
    return emptyShape();
  };
  if (Array.isArray(value)) {
    shape.isContainer = true;
    for (const [index, item] of value.slice(0, MAX_ITEMS).entries())
      learn((shape.items[index] ??= child()), item, budget);
  } else if (typeof value === "object" && value !== null) {
    shape.isContainer = true;
    for (const [key, item] of Object.entries(value)) {
      if (budget.places < 0) return;
      const known = shape.keys.get(key) ?? child();
      shape.keys.set(key, known);
      learn(known, item, budget);
    }
  } else {
    for (const type of scalarTypes(value)) shape.scalars.add(type);
  }
}

function scalarTypes(value: unknown): string[] {
  if (typeof value === "string") return ["STRING"];
  if (typeof value === "boolean") return ["BOOLEAN"];
  return value === null ? ["NULL"] : ["INTEGER", "DOUBLE"];
}

async function readSample(connection: MysqlConnection, table: TableModel, columnName: string): Promise<string[]> {
  const column = quoteName(columnName);
  const short = `IF(JSON_STORAGE_SIZE(${column}) > ${MAX_SAMPLE_BYTES}, NULL, ${column})`;
  const select = `SELECT ${short} AS document FROM ${quoteTable(table.schema, table.name)}`;
  const last = table.primaryKey.map((name) => `${quoteName(name)} DESC`).join(", ");
  const selects = [`${select} LIMIT ${SAMPLES_AT_EACH_END}`];
  if (last !== "") selects.push(`${select} ORDER BY ${last} LIMIT ${SAMPLES_AT_EACH_END}`);
  const documents: string[] = [];
  for (const sql of selects) {
    for (const { document } of await connection.query<"document">(sql)) {
      if (document !== null) documents.push(document);
    }
  }
  return documents;
}
