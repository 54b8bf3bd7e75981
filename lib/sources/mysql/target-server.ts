import type { MysqlConnection } from "./connection.ts";

/** What of a target server matters to a restore. */
export interface TargetServer {
  version: string;
  uuid: string;
  lowerCaseTableNames: number;
  localInfile: boolean;
  readOnly: boolean;
  requiresPrimaryKey: boolean;
  logsFunctions: boolean;
  trustsFunctions: boolean;
  maxPacketBytes: number;
}

type Variable = "version" | "uuid" | "lower" | "localInfile" | "readOnly" | "needsKey" | "log" | "trust" | "packet";

/** Reads the target's settings as `connection`, a restore's session, sees them. */
export async function readTargetServer(connection: MysqlConnection): Promise<TargetServer> {
  const [row] = await connection.query<Variable>(
    `SELECT VERSION() AS version, @@server_uuid AS uuid, @@lower_case_table_names AS lower,
      @@global.local_infile AS localInfile, @@global.read_only AS readOnly, @@session.sql_require_primary_key AS needsKey,
      @@session.sql_log_bin AND @@global.log_bin AS log, @@global.log_bin_trust_function_creators AS trust,
      @@global.max_allowed_packet AS packet`,
  );
  return {
    version: row?.version ?? "",
    uuid: row?.uuid ?? "",
    lowerCaseTableNames: Number(row?.lower),
    localInfile: row?.localInfile === "1",
    readOnly: row?.readOnly === "1",
    requiresPrimaryKey: row?.needsKey === "1",
    logsFunctions: row?.log === "1",
    trustsFunctions: row?.trust === "1",
    maxPacketBytes: Number(row?.packet),
  };
}
