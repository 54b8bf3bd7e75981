import { AppError } from "../../core/errors.ts";
import { quoteTable } from "./quoting.ts";
import { isKeyword, isMark, type Token, tokenize } from "./tokens.ts";

/*
 * A table is made in three steps: without what slows its rows down, then its indexes in one pass over the rows, then its
 * foreign keys when every table is there. Kept in the first step is what the later ones could only add by copying the
 * table, or what its rows could not be written without: columns, checks, the clustered key, the key of AUTO_INCREMENT.
 */

export interface ForeignKey {
  /** As the server named it; unique within its schema. */
  name: string;
  /** The table it refers to; `schema` is undefined where it is the table's own. */
  references: { schema: string | undefined; table: string };
  /** `FOREIGN KEY (…) REFERENCES ` and what follows the table's name. */
  before: string;
  after: string;
}

export interface TableParts {
  /** Lines inside the parentheses that belong to the first step. */
  kept: string[];
  /** Indexes of the second step, as written in SHOW CREATE TABLE, with the name of each. */
  indexes: { name: string; sql: string; fulltext: boolean }[];
  foreignKeys: ForeignKey[];
  /** Everything after the closing parenthesis: options and partitions. */
  options: string;
}

type ElementKind = "column" | "primary" | "unique" | "index" | "fulltext" | "check" | "foreignKey";

interface Element {
  kind: ElementKind;
  sql: string;
  tokens: Token[];
}

/**
 * Takes SHOW CREATE TABLE apart. `unnamedChecks` leaves the names of checks to the server: they are unique in a schema, and
 * under a new name the original table can be in it too. Throws SOURCE_UNSUPPORTED for text that is not of that form.
 */
export function splitCreateTable(createSql: string, unnamedChecks = false): TableParts {
  const { elements, options } = readElements(createSql);
  const isKey = ({ kind }: Element): boolean => kind === "unique" || kind === "index" || kind === "fulltext";
  const keys = elements.filter(isKey);
  const deferred = new Set(keys.slice(countOfKeptKeys(elements, keys)));
  const kept = elements.filter((element) => element.kind !== "foreignKey" && !deferred.has(element));
  return {
    kept: kept.map((element) => (unnamedChecks && element.kind === "check" ? withoutName(element) : element.sql)),
    indexes: [...deferred].map((key) => ({ name: nameOfKey(key), sql: key.sql, fulltext: key.kind === "fulltext" })),
    foreignKeys: elements.filter(({ kind }) => kind === "foreignKey").map(readForeignKey),
    options,
  };
}

/** `CREATE TABLE` of the first step, under the names that it gets on the target. */
export function createTableSql(schema: string, table: string, parts: TableParts): string {
  return `CREATE TABLE ${quoteTable(schema, table)} (\n  ${parts.kept.join(",\n  ")}\n)${parts.options}`;
}

/** The statements of the second step: one for all indexes, and one for each FULLTEXT index, as InnoDB builds one at a time. */
export function addIndexStatements(table: string, indexes: TableParts["indexes"]): string[] {
  const ordinary = indexes.filter(({ fulltext }) => !fulltext);
  const statements = indexes.filter(({ fulltext }) => fulltext).map(({ sql }) => `ALTER TABLE ${table} ADD ${sql}`);
  if (ordinary.length > 0) {
    statements.unshift(`ALTER TABLE ${table} ${ordinary.map(({ sql }) => `ADD ${sql}`).join(", ")}`);
  }
  return statements;
}

function readElements(createSql: string): { elements: Element[]; options: string } {
  const tokens = tokenize(createSql);
  const open = tokens.findIndex((token) => isMark(token, "("));
  const elements: Element[] = [];
  let depth = 0;
  let first = open + 1;
  for (let index = Math.max(open, 0); index < tokens.length; index++) {
    const token = tokens[index];
    if (isMark(token, "(")) depth++;
    else if (isMark(token, ")")) depth--;
    const ends = depth === 0 || (depth === 1 && isMark(token, ","));
    if (!ends || token === undefined) continue;
    elements.push(toElement(createSql, tokens, first, index));
    if (depth === 0) return { elements, options: createSql.slice(token.end) };
    first = index + 1;
  }
  throw new AppError("SOURCE_UNSUPPORTED", "the text of a table's definition is not what SHOW CREATE TABLE writes", {
    hint: "Report the server's version and the table's definition; the backup itself is unharmed.",
  });
}

/** The element between two tokens. Its text runs to the closing comma, so that an executable comment at its end is in it. */
function toElement(createSql: string, all: Token[], first: number, end: number): Element {
  const tokens = all.slice(first, end);
  const sql = createSql.slice(all[first]?.start, all[end]?.start).trim();
  return { kind: kindOf(tokens), sql, tokens };
}

function kindOf(tokens: Token[]): ElementKind {
  const [start] = tokens;
  if (isKeyword(start, "PRIMARY")) return "primary";
  if (isKeyword(start, "UNIQUE")) return "unique";
  if (isKeyword(start, "KEY") || isKeyword(start, "SPATIAL")) return "index";
  if (isKeyword(start, "FULLTEXT")) return "fulltext";
  if (!isKeyword(start, "CONSTRAINT")) return "column";
  return isKeyword(tokens[2], "FOREIGN") ? "foreignKey" : "check";
}

/**
 * How many of the keys stay in CREATE TABLE. A key that must stay keeps all before it, or their order would change:
 * without a primary key the first unique one can be the clustered index, and an AUTO_INCREMENT column needs some key.
 */
function countOfKeptKeys(elements: Element[], keys: Element[]): number {
  const primary = elements.find(({ kind }) => kind === "primary");
  const clustered = primary === undefined && keys[0]?.kind === "unique" ? 1 : 0;
  const counter = elements.find(({ kind, tokens }) => kind === "column" && hasAutoIncrement(tokens))?.tokens[0]?.text;
  if (counter === undefined || (primary !== undefined && firstColumn(primary) === counter)) return clustered;
  return Math.max(clustered, keys.findIndex((key) => firstColumn(key) === counter) + 1);
}

function hasAutoIncrement(tokens: Token[]): boolean {
  return tokens.some((token) => isKeyword(token, "AUTO_INCREMENT"));
}

/** The first column of a key; undefined where its first part is an expression. */
function firstColumn({ tokens }: Element): string | undefined {
  const part = tokens[tokens.findIndex((token) => isMark(token, "(")) + 1];
  return part?.kind === "quoted" ? part.text : undefined;
}

function nameOfKey({ tokens }: Element): string {
  return tokens.find(({ kind }) => kind === "quoted")?.text ?? "";
}

/** `CHECK (…)` of ``CONSTRAINT `name` CHECK (…)``. */
function withoutName({ sql, tokens: [constraint, , check] }: Element): string {
  return constraint === undefined || check === undefined ? sql : sql.slice(check.start - constraint.start);
}

function readForeignKey({ sql, tokens }: Element): ForeignKey {
  const [constraint, name, foreign] = tokens;
  const references = tokens.findIndex((token) => isKeyword(token, "REFERENCES"));
  const [first, dot, second] = tokens.slice(references + 1);
  if (constraint === undefined || name === undefined || foreign === undefined || first === undefined) {
    throw new AppError("INVARIANT", "a foreign key without a name or a table was read");
  }
  const qualified = isMark(dot, ".") && second !== undefined;
  const end = qualified ? second.end : first.end;
  return {
    name: name.text,
    references: qualified ? { schema: first.text, table: second.text } : { schema: undefined, table: first.text },
    before: sql.slice(foreign.start - constraint.start, first.start - constraint.start),
    after: sql.slice(end - constraint.start),
  };
}
