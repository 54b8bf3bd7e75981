import type { Finding } from "../engine.ts";
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

/** The server's own default, and the least that a row of many columns is sure to fit in. */
const DEFAULT_PACKET_BYTES = 67_108_864;

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

/** What every restore needs of a target's settings, whatever the backup. */
export function settingFindings({ readOnly, localInfile, maxPacketBytes }: TargetServer): Finding[] {
  return [
    {
      setting: "read_only",
      found: onOff(readOnly),
      required: "OFF",
      ok: !readOnly,
      level: "required",
      change: "SET GLOBAL super_read_only = OFF, GLOBAL read_only = OFF",
      code: "TARGET_UNSUITABLE",
    },
    {
      setting: "local_infile",
      found: onOff(localInfile),
      required: "ON, or the right to switch it on for the time of the restore; else rows come by INSERT, slower",
      ok: localInfile,
      level: "advised",
      change: "SET GLOBAL local_infile = ON",
    },
    {
      setting: "max_allowed_packet",
      found: `${maxPacketBytes} bytes`,
      required: `${DEFAULT_PACKET_BYTES} bytes or more, and no less than the source's for large JSON documents`,
      ok: maxPacketBytes >= DEFAULT_PACKET_BYTES,
      level: "advised",
      change: "SET GLOBAL max_allowed_packet = 1073741824",
    },
  ];
}

/** Major and minor version, to be compared. */
export function versionNumbers(version: string): [number, number] {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return [major, minor];
}

/** How findings show a switch. */
export function onOff(value: boolean): string {
  return value ? "ON" : "OFF";
}
