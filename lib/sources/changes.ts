export const CHANGE_KINDS = ["insert", "update", "delete", "ddl"] as const;
export type ChangeKind = (typeof CHANGE_KINDS)[number];

/** What of a log is asked for. */
export interface ChangesQuery {
  /** Commit times, both ends included; ISO 8601 with up to six decimals. Absent is the end of what is there. */
  from?: string | undefined;
  to?: string | undefined;
  /** "schema" or "schema.table"; empty is everything. */
  tables: readonly string[];
  /** Empty is all. */
  kinds: readonly ChangeKind[];
  /** One transaction only. */
  at?: string | undefined;
  /** Also the texts of statements, and of one transaction the values of its rows: both hold data. */
  values: boolean;
  /** How many rows of a transaction, and texts of statements, are shown at most. */
  rows: number;
}

export interface ChangeCounts {
  inserted: number;
  updated: number;
  deleted: number;
  ddl: number;
  /** Statements that changed rows and were logged as text: how many rows, the log does not say. */
  statements: number;
}

export interface TableChanges extends ChangeCounts {
  /** `schema.table`; `schema.*` where the log names the schema only, `*` where it names none. */
  table: string;
}

/** What happened to a table in a minute. */
export interface MinuteChanges extends TableChanges {
  /** Its start; ISO 8601. */
  minute: string;
  transactions: number;
  /** Of these transactions; empty where the source has none. */
  gtids: string;
}

export interface TransactionChanges {
  gtid: string | null;
  /** By the source's clock, with microseconds. */
  committedAt: string;
  /** In the log. */
  bytes: number;
  tables: TableChanges[];
  /** With `values` only, the first ones; long ones are cut. */
  texts?: string[];
  textsNotShown?: number;
  /** With `values` and `at` only, the first ones. */
  rows?: RowChange[];
  rowsNotShown?: number;
}

/** What a row was and became. An image holds the columns that were logged, by name, or as `@1`, `@2`, … where it has none. */
export interface RowChange {
  /** `schema.table` */
  table: string;
  kind: "insert" | "update" | "delete";
  before?: Record<string, string | null>;
  after?: Record<string, string | null>;
}

export interface ChangesReport {
  /** How many changed anything that was asked for. */
  transactions: number;
  /** In the order of minutes, then of tables. */
  minutes: MinuteChanges[];
  /** Most bytes first, ten at most. */
  largest: TransactionChanges[];
}
