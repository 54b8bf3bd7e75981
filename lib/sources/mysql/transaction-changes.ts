import type { ChangeKind, RowChange, TableChanges } from "../changes.ts";
import { type BinlogEvent, EVENT } from "./binlog/event.ts";
import { openPayload } from "./binlog/payload-event.ts";
import type { QueryEvent } from "./binlog/query-event.ts";
import { isRowsEvent, ROWS_OFFSET } from "./binlog/row-events.ts";
import type { TransactionHead } from "./binlog/gtid-event.ts";
import { readLoadQuery } from "./replay/loaded-file.ts";
import { type LoggedStatement, readStatement, roleOf, textOf, tokensOf } from "./replay/logged-statement.ts";
import { countEvent, type LoggedTable, readLoggedTable, readRowChanges } from "./row-changes.ts";
import { tablesOf } from "./replay/statement-tables.ts";
import { isKeyword, type Token } from "./tokens.ts";

const ROWS_FIELD = { insert: "inserted", update: "updated", delete: "deleted" } as const;
/** Statements that change rows; with them the log does not say how many. */
const ROW_VERBS = ["INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH"];
/** What only divides a transaction. */
const INNER_VERBS = ["SAVEPOINT", "ROLLBACK", "RELEASE"];

/** What is kept of a statement at most. */
const TEXT_CHARACTERS = 20_000;

/** Whether a change is asked for; `statement` is one that changed rows and was logged as text. */
export type IsWanted = (table: string, kind: ChangeKind | "statement") => boolean;

/** How much of what holds data is kept. */
export interface Shown {
  rows: number;
  texts: number;
}

/** Counts what one transaction changed, and keeps the first of its rows and texts. */
export class TransactionCounter {
  readonly head: TransactionHead;
  bytes = 0;
  readonly tables = new Map<string, TableChanges>();
  readonly texts: string[] = [];
  readonly rows: RowChange[] = [];
  rowCount = 0;
  textCount = 0;
  readonly #isWanted: IsWanted;
  readonly #shown: Shown;
  readonly #tables = new Map<number, LoggedTable>();

  constructor(head: TransactionHead, isWanted: IsWanted, shown: Shown) {
    this.head = head;
    this.#isWanted = isWanted;
    this.#shown = shown;
  }

  async take(event: BinlogEvent): Promise<void> {
    this.bytes += event.size;
    await this.#read(event);
  }

  async #read(event: BinlogEvent): Promise<void> {
    if (event.type === EVENT.transactionPayload) {
      for await (const events of openPayload(event)) for (const inner of events) await this.#read(inner);
    } else if (event.type === EVENT.tableMap) {
      const table = readLoggedTable(event);
      this.#tables.set(table.tableId, table);
    } else if (isRowsEvent(event.type)) this.#countRows(event);
    else if (event.type === EVENT.query) this.#countStatement(readStatement(event, []));
    else if (event.type === EVENT.executeLoadQuery)
      this.#countStatement(readStatement(event, [], readLoadQuery(event).query));
    // One byte with a length that does not count, then the text to the end.
    else if (event.type === EVENT.rowsQuery) this.#addText(event.body.toString("utf8", 1));
  }

  #countRows(event: BinlogEvent): void {
    const table = this.#tables.get(event.body.readUIntLE(ROWS_OFFSET.tableId, 6));
    // The last event of a statement without any change refers to no table.
    if (table === undefined) return;
    const { kind, rows } = countEvent(event, table);
    if (rows === 0 || !this.#add(table.name, kind, ROWS_FIELD[kind], rows)) return;
    this.rowCount += rows;
    const left = this.#shown.rows - this.rows.length;
    if (left > 0) this.rows.push(...readRowChanges(event, table, left));
  }

  #countStatement(statement: LoggedStatement): void {
    const { query } = statement;
    if (roleOf(query.sql).role !== "other") return;
    const { text } = textOf(query.sql);
    const tokens = tokensOf(statement, text);
    if (isOneOf(tokens[0], INNER_VERBS)) return;
    const changesRows = isOneOf(tokens[0], ROW_VERBS);
    const isCounted = tablesIn(query, tokens).map((table) =>
      changesRows ? this.#add(table, "statement", "statements", 1) : this.#add(table, "ddl", "ddl", 1),
    );
    if (isCounted.includes(true)) this.#addText(text);
  }

  #addText(text: string): void {
    this.textCount++;
    if (this.texts.length >= this.#shown.texts) return;
    this.texts.push(text.length > TEXT_CHARACTERS ? `${text.slice(0, TEXT_CHARACTERS)}…` : text);
  }

  #add(
    table: string,
    kind: ChangeKind | "statement",
    field: "inserted" | "updated" | "deleted" | "ddl" | "statements",
    count: number,
  ): boolean {
    if (!this.#isWanted(table, kind)) return false;
    const counts = this.tables.get(table) ?? { table, inserted: 0, updated: 0, deleted: 0, ddl: 0, statements: 0 };
    counts[field] += count;
    this.tables.set(table, counts);
    return true;
  }
}

function isOneOf(token: Token | undefined, words: readonly string[]): boolean {
  return words.some((word) => isKeyword(token, word));
}

/** What a statement is about, as precisely as it is known without its schema. */
function tablesIn(query: QueryEvent, tokens: readonly Token[]): string[] {
  const [first] = tablesOf(tokens, query.schema) ?? [];
  if (first !== undefined) {
    const all = isKeyword(tokens[0], "DROP") || isKeyword(tokens[0], "RENAME");
    const named = all ? (tablesOf(tokens, query.schema) ?? []) : [first];
    return [...new Set(named.map(({ schema, name }) => `${schema}.${name}`))];
  }
  const schemas = query.session.updatedSchemas ?? [];
  if (schemas.length > 0) return schemas.map((schema) => `${schema}.*`);
  return [query.schema === "" ? "*" : `${query.schema}.*`];
}
