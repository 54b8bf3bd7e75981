import { Cursor } from "./cursor.ts";
import type { BinlogEvent } from "./event.ts";

/**
 * The session in which a statement ran, as far as the server logged it:
 * https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Query__event.html
 */
export interface StatementSession {
  /** Bits of OPTION_… flags; `SESSION_FLAG` names those that are logged. */
  flags: number | undefined;
  sqlMode: bigint | undefined;
  autoIncrement: { increment: number; offset: number } | undefined;
  /** Collation numbers. */
  charset: { client: number; connection: number; server: number } | undefined;
  timeZone: string | undefined;
  /** Number of the locale. */
  lcTimeNames: number | undefined;
  databaseCollation: number | undefined;
  invoker: { user: string; host: string } | undefined;
  /** Schemas that the statement touches; undefined where they were too many to be logged. */
  updatedSchemas: string[] | undefined;
  /** To be added to the event's timestamp. */
  microseconds: number | undefined;
  explicitDefaultsForTimestamp: boolean | undefined;
  defaultUtf8mb4Collation: number | undefined;
  requirePrimaryKey: boolean | undefined;
  defaultTableEncryption: boolean | undefined;
  /** Since 9.7: triggers of tables that a foreign key cascades to run. */
  enableCascadeTriggers: boolean | undefined;
  /** Codes of a newer server: nothing after the first of them could be read. */
  unknownCode: number | undefined;
}

export const SESSION_FLAG = {
  autoIsNull: 0x0000_4000,
  notAutocommit: 0x0008_0000,
  noForeignKeyChecks: 0x0400_0000,
  relaxedUniqueChecks: 0x0800_0000,
} as const;

export interface QueryEvent {
  threadId: number;
  executionSeconds: number;
  /** The error with which the statement ended on the source; 0 for none. */
  errorCode: number;
  /** The default schema; empty for none. */
  schema: string;
  session: StatementSession;
  /** In the character set of `session.charset.client`. */
  sql: Buffer;
}

const MAX_UPDATED_SCHEMAS = 254;

/** Reads a QUERY event. */
export function readQuery({ body }: BinlogEvent): QueryEvent {
  const cursor = new Cursor(body);
  const threadId = cursor.uint32();
  const executionSeconds = cursor.uint32();
  const schemaLength = cursor.uint8();
  const errorCode = cursor.uint16();
  const session = readSession(cursor.bytes(cursor.uint16()));
  const schema = cursor.text(schemaLength);
  cursor.skip(1);
  return { threadId, executionSeconds, errorCode, schema, session, sql: cursor.rest() };
}

function readSession(bytes: Buffer): StatementSession {
  const cursor = new Cursor(bytes);
  const session = emptySession();
  while (cursor.left > 0) {
    const code = cursor.uint8();
    const read = READERS[code];
    if (read === undefined) {
      session.unknownCode = code;
      break;
    }
    read(cursor, session);
  }
  return session;
}

/** One reader for each Q_… code. A code without an effect today is read over. */
const READERS: Record<number, (cursor: Cursor, session: StatementSession) => void> = {
  0: (cursor, session) => (session.flags = cursor.uint32()),
  1: (cursor, session) => (session.sqlMode = cursor.uint64()),
  2: (cursor) => cursor.skip(cursor.uint8() + 1),
  3: (cursor, session) => (session.autoIncrement = { increment: cursor.uint16(), offset: cursor.uint16() }),
  4: (cursor, session) => {
    session.charset = { client: cursor.uint16(), connection: cursor.uint16(), server: cursor.uint16() };
  },
  5: (cursor, session) => (session.timeZone = cursor.text(cursor.uint8())),
  6: (cursor) => cursor.skip(cursor.uint8()),
  7: (cursor, session) => (session.lcTimeNames = cursor.uint16()),
  8: (cursor, session) => (session.databaseCollation = cursor.uint16()),
  9: (cursor) => cursor.skip(8),
  10: (cursor) => cursor.skip(4),
  11: (cursor, session) => {
    session.invoker = { user: cursor.text(cursor.uint8()), host: cursor.text(cursor.uint8()) };
  },
  12: (cursor, session) => {
    const count = cursor.uint8();
    if (count >= MAX_UPDATED_SCHEMAS) return;
    session.updatedSchemas = Array.from({ length: count }, () => cursor.untilNul().toString("utf8"));
  },
  13: (cursor, session) => (session.microseconds = cursor.uint24()),
  16: (cursor, session) => (session.explicitDefaultsForTimestamp = cursor.uint8() !== 0),
  17: (cursor) => cursor.skip(8),
  18: (cursor, session) => (session.defaultUtf8mb4Collation = cursor.uint16()),
  19: (cursor, session) => (session.requirePrimaryKey = cursor.uint8() !== 0),
  20: (cursor, session) => (session.defaultTableEncryption = cursor.uint8() !== 0),
  21: (cursor, session) => (session.enableCascadeTriggers = cursor.uint8() !== 0),
};

function emptySession(): StatementSession {
  return {
    flags: undefined,
    sqlMode: undefined,
    autoIncrement: undefined,
    charset: undefined,
    timeZone: undefined,
    lcTimeNames: undefined,
    databaseCollation: undefined,
    invoker: undefined,
    updatedSchemas: undefined,
    microseconds: undefined,
    explicitDefaultsForTimestamp: undefined,
    defaultUtf8mb4Collation: undefined,
    requirePrimaryKey: undefined,
    defaultTableEncryption: undefined,
    enableCascadeTriggers: undefined,
    unknownCode: undefined,
  };
}
