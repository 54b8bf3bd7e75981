import type { BinlogEvent } from "../binlog/event.ts";
import { EVENT_FLAG } from "../binlog/event.ts";
import { type QueryEvent, readQuery } from "../binlog/query-event.ts";
import { dialectOf, isKeyword, type Token, tokenize } from "../tokens.ts";

/** A QUERY event, and what was logged for it in front of it. */
export interface LoggedStatement {
  query: QueryEvent;
  /** Seconds since 1970. */
  timestamp: number;
  /** The default schema plays no part. */
  suppressUse: boolean;
  /** INTVAR, RAND and USER_VAR events. */
  context: readonly BinlogEvent[];
  /** The file of a LOAD DATA statement. */
  file?: readonly Buffer[];
}

export function readStatement(
  event: BinlogEvent,
  context: readonly BinlogEvent[],
  query: QueryEvent = readQuery(event),
): LoggedStatement {
  return {
    query,
    timestamp: event.timestamp,
    suppressUse: (event.flags & EVENT_FLAG.suppressUse) !== 0,
    context,
  };
}

/** What a QUERY event does to the transaction around it. */
export type Role = "begin" | "commit" | "rollback" | "xa-start" | "xa-end" | "xa-commit" | "xa-rollback" | "other";

const XA = /^XA (START|END|COMMIT|ROLLBACK) (X'[0-9a-f]*',X'[0-9a-f]*',\d+)/i;
const XA_ROLES: Record<string, Role> = {
  START: "xa-start",
  END: "xa-end",
  COMMIT: "xa-commit",
  ROLLBACK: "xa-rollback",
};

/** These texts are the server's own, and always written alike. */
export function roleOf(sql: Buffer): { role: Role; xid: string } {
  const head = sql.toString("latin1", 0, 512);
  if (head === "BEGIN") return { role: "begin", xid: "" };
  if (head === "COMMIT") return { role: "commit", xid: "" };
  if (head === "ROLLBACK") return { role: "rollback", xid: "" };
  const xa = XA.exec(head);
  return { role: XA_ROLES[xa?.[1]?.toUpperCase() ?? ""] ?? "other", xid: xa?.[2] ?? "" };
}

// SQL modes as the server numbers them: https://dev.mysql.com/doc/dev/mysql-server/latest/system__variables_8h.html
const ANSI_QUOTES = 4n;
const NO_BACKSLASH_ESCAPES = 1n << 20n;

/** The statement's text: UTF-8 where it is valid, else byte by byte; with `encode` it becomes the same bytes again. */
export function textOf(sql: Buffer): { text: string; encode: (text: string) => Buffer } {
  const text = sql.toString("utf8");
  if (Buffer.from(text).equals(sql)) return { text, encode: (changed) => Buffer.from(changed) };
  return { text: sql.toString("latin1"), encode: (changed) => Buffer.from(changed, "latin1") };
}

export function tokensOf({ query }: LoggedStatement, text: string): Token[] {
  const mode = query.session.sqlMode ?? 0n;
  const modes: string[] = [];
  if (mode & ANSI_QUOTES) modes.push("ANSI_QUOTES");
  if (mode & NO_BACKSLASH_ESCAPES) modes.push("NO_BACKSLASH_ESCAPES");
  return tokenize(text, dialectOf(modes.join(",")));
}

/** `CREATE TABLE … SELECT` of a row-based log: the table, then its rows, in one transaction. */
export function opensTransaction(tokens: readonly Token[]): boolean {
  return isKeyword(tokens.at(-2), "START") && isKeyword(tokens.at(-1), "TRANSACTION");
}

/** Whether a temporary table is made or dropped: that commits nothing. */
export function isTemporaryTable(tokens: readonly Token[]): "create" | "drop" | undefined {
  const [verb, temporary] = tokens;
  if (!isKeyword(temporary, "TEMPORARY")) return undefined;
  if (isKeyword(verb, "CREATE")) return "create";
  return isKeyword(verb, "DROP") ? "drop" : undefined;
}
