import type { TableName } from "../mapping.ts";
import { isKeyword, isMark, isName, type Token } from "../tokens.ts";

/** A table that a statement names, and where: `tokens[first]` to `tokens[last]`. */
export interface TableReference extends TableName {
  first: number;
  last: number;
}

/**
 * The tables that a statement about tables names (CREATE, ALTER, DROP, RENAME, TRUNCATE TABLE, indexes, maintenance), with
 * those in LIKE, REFERENCES, RENAME TO and EXCHANGE PARTITION. Undefined for any other statement.
 */
export function tablesOf(tokens: readonly Token[], schema: string): TableReference[] | undefined {
  const [verb] = tokens;
  const tableAt = tokens.findIndex((token) => isKeyword(token, "TABLE") || isKeyword(token, "TABLES"));
  const reader = new References(tokens, schema);
  if (isKeyword(verb, "TRUNCATE")) return reader.list(tableAt === 1 ? 2 : 1);
  if (isIndexStatement(tokens)) return reader.list(tokens.findIndex((token) => isKeyword(token, "ON")) + 1).slice(0, 1);
  if (tableAt < 0 || tableAt > 2) return undefined;
  const at = skipExistence(tokens, tableAt + 1);
  if (["DROP", "ANALYZE", "OPTIMIZE", "REPAIR", "CHECK"].some((word) => isKeyword(verb, word))) return reader.list(at);
  if (isKeyword(verb, "RENAME")) return reader.renames(at);
  if (isKeyword(verb, "CREATE") || isKeyword(verb, "ALTER")) return [...reader.one(at), ...reader.inside(at + 1)];
  return undefined;
}

function isIndexStatement(tokens: readonly Token[]): boolean {
  const [verb] = tokens;
  if (!isKeyword(verb, "CREATE") && !isKeyword(verb, "DROP")) return false;
  return tokens.slice(1, 3).some((token) => isKeyword(token, "INDEX"));
}

/** Past IF EXISTS or IF NOT EXISTS. */
export function skipExistence(tokens: readonly Token[], at: number): number {
  if (!isKeyword(tokens[at], "IF")) return at;
  return isKeyword(tokens[at + 1], "NOT") ? at + 3 : at + 2;
}

class References {
  readonly #tokens: readonly Token[];
  readonly #schema: string;

  constructor(tokens: readonly Token[], schema: string) {
    this.#tokens = tokens;
    this.#schema = schema;
  }

  /** `name` or `schema.name`. */
  one(at: number): TableReference[] {
    const [first, dot, second] = this.#tokens.slice(at, at + 3);
    if (!isName(first)) return [];
    if (isMark(dot, ".") && isName(second)) {
      return [{ schema: first.text, name: second.text, first: at, last: at + 2 }];
    }
    return [{ schema: this.#schema, name: first.text, first: at, last: at }];
  }

  /** References with commas between them. */
  list(at: number): TableReference[] {
    const [found] = this.one(at);
    if (found === undefined) return [];
    const goesOn = isMark(this.#tokens[found.last + 1], ",");
    return goesOn ? [found, ...this.list(found.last + 2)] : [found];
  }

  /** `a TO b, c TO d`. */
  renames(at: number): TableReference[] {
    const [from] = this.one(at);
    if (from === undefined) return [];
    const [to] = this.one(from.last + 2);
    if (to === undefined) return [from];
    const goesOn = isMark(this.#tokens[to.last + 1], ",");
    return goesOn ? [from, to, ...this.renames(to.last + 2)] : [from, to];
  }

  /** What the clauses of CREATE TABLE and ALTER TABLE name. */
  inside(from: number): TableReference[] {
    const found: TableReference[] = [];
    for (let at = from; at < this.#tokens.length; at++) {
      const [token, before, next] = [this.#tokens[at], this.#tokens[at - 1], this.#tokens[at + 1]];
      if (isMark(before, ".")) continue;
      if (isKeyword(token, "REFERENCES")) found.push(...this.one(at + 1));
      else if (isKeyword(token, "LIKE") && isName(next)) found.push(...this.one(at + 1));
      else if (isKeyword(token, "TABLE") && isKeyword(before, "WITH")) found.push(...this.one(at + 1));
      else if (isKeyword(token, "RENAME")) found.push(...this.#renameClause(at + 1));
    }
    return found;
  }

  /** `RENAME [TO | AS] name`; columns and indexes are not meant. */
  #renameClause(at: number): TableReference[] {
    const token = this.#tokens[at];
    if (["COLUMN", "INDEX", "KEY"].some((word) => isKeyword(token, word))) return [];
    const hasWord = isKeyword(token, "TO") || isKeyword(token, "AS") || isMark(token, "=");
    return this.one(hasWord ? at + 1 : at);
  }
}
