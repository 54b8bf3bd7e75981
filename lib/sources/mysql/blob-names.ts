/** The definitions: one `SchemaModel` as JSON. */
export const SCHEMA_BLOB = "schema.json";

const TYPED = "typed/";

/** Rows as LOAD DATA takes them. `number` counts from 1 over all tables. */
export function rowsBlob(number: number): string {
  return `rows/${String(number).padStart(6, "0")}`;
}

/** The rows of the same part whose JSON documents need care: their lines begin with the letters of `json-types.ts`. */
export function typedBlob(number: number): string {
  return `${TYPED}${String(number).padStart(6, "0")}`;
}

/** Whether a blob's lines begin with the letters of JSON types. */
export function isTypedBlob(name: string): boolean {
  return name.startsWith(TYPED);
}
