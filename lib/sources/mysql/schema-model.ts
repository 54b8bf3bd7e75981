/**
 * Everything of a MySQL server that is not rows, as the backup reads it and the restore writes it back.
 * Stored as JSON in the sealed blob `schema.json`. Names are plain (unquoted); `createSql` is the server's own text.
 */

export interface ColumnModel {
  name: string;
  /** information_schema DATA_TYPE, lower case: `int`, `varchar`, `json`, `geometry`, … */
  type: string;
  /** information_schema COLUMN_TYPE: `int unsigned zerofill`, `enum('a','b')`, … */
  columnType: string;
  nullable: boolean;
  /** Computed by the server (stored or virtual): not among the rows. */
  generated: boolean;
  charset: string | null;
  collation: string | null;
  srid: number | null;
  invisible: boolean;
  /** information_schema EXTRA: `auto_increment`, `DEFAULT_GENERATED`, `INVISIBLE`, … */
  extra: string;
}

export interface TableModel {
  schema: string;
  name: string;
  /** SHOW CREATE TABLE with invisible columns and generated invisible primary keys shown. */
  createSql: string;
  engine: string;
  /** In ordinal order, generated ones included. */
  columns: ColumnModel[];
  /** Column names in key order; empty without a primary key. */
  primaryKey: string[];
  /** The next value, as decimal text; null when the table has no counter. */
  autoIncrement: string | null;
  /** The server's estimate of the clustered index, in bytes. */
  dataBytes: number;
  /** The server's estimate; can be far off. */
  rowsEstimate: number;
  /** SHA-256 (hex) of createSql without its AUTO_INCREMENT value, and of the columns: equal means "not altered". */
  definitionHash: string;
}

export interface ViewModel {
  schema: string;
  name: string;
  createSql: string;
  /** `user@host`, unquoted. */
  definer: string;
  sqlSecurity: string;
  /** character_set_client and collation_connection under which it was created. */
  charset: string;
  collation: string;
}

/** The session state that a stored program was created under, and that its text only means the same in. */
export interface ProgramContext {
  sqlMode: string;
  charset: string;
  collationConnection: string;
  databaseCollation: string;
  /** `user@host`, unquoted. */
  definer: string;
}

export interface RoutineModel extends ProgramContext {
  schema: string;
  name: string;
  kind: "PROCEDURE" | "FUNCTION" | "LIBRARY";
  createSql: string;
}

export interface TriggerModel extends ProgramContext {
  schema: string;
  table: string;
  name: string;
  createSql: string;
  /** `BEFORE`/`AFTER` and `INSERT`/`UPDATE`/`DELETE`: the group that `order` counts in. */
  timing: string;
  event: string;
  /** 1 fires first. Triggers are listed in the order in which they must be created. */
  order: number;
}

export interface EventModel extends ProgramContext {
  schema: string;
  name: string;
  createSql: string;
  timeZone: string;
  /** `ENABLED`, `DISABLED`, `REPLICA_SIDE_DISABLED`. */
  status: string;
}

export interface UserModel {
  user: string;
  host: string;
  createSql: string;
  /** GRANT statements, in the order in which SHOW GRANTS lists them. */
  grants: string[];
  /** Locked, without a password: what CREATE ROLE makes. */
  isRole: boolean;
}

export interface ServerModel {
  version: string;
  serverUuid: string;
  lowerCaseTableNames: number;
  sqlMode: string;
  characterSet: string;
  collation: string;
}

export interface SchemaModel {
  version: 1;
  server: ServerModel;
  schemas: { name: string; createSql: string }[];
  tables: TableModel[];
  views: ViewModel[];
  routines: RoutineModel[];
  triggers: TriggerModel[];
  events: EventModel[];
  /** Absent when the backup was taken without users. */
  users?: UserModel[];
}
