import { AppError } from "../../core/errors.ts";
import type { Finding } from "../engine.ts";
import type { MysqlConnection } from "./connection.ts";
import { quoteList, quoteName } from "./quoting.ts";
import type { RestoreSelection } from "./selection.ts";
import { privilegeFindings } from "./target-privileges.ts";
import { isKeyword, tokenize } from "./tokens.ts";

/** What of a target server matters to a restore. */
interface TargetServer {
  version: string;
  uuid: string;
  lowerCaseTableNames: number;
  localInfile: boolean;
  readOnly: boolean;
  requiresPrimaryKey: boolean;
  logsFunctions: boolean;
  trustsFunctions: boolean;
  gtidMode: string;
  maxPacketBytes: number;
}

type Variable =
  | "version"
  | "uuid"
  | "lower"
  | "localInfile"
  | "readOnly"
  | "needsKey"
  | "log"
  | "trust"
  | "gtid"
  | "packet";

/** Reads the target's settings as `connection`, a restore's session, sees them. */
export async function readTargetServer(connection: MysqlConnection): Promise<TargetServer> {
  const [row] = await connection.query<Variable>(
    `SELECT VERSION() AS version, @@server_uuid AS uuid, @@lower_case_table_names AS lower,
      @@global.local_infile AS localInfile, @@global.read_only AS readOnly, @@session.sql_require_primary_key AS needsKey,
      @@session.sql_log_bin AND @@global.log_bin AS log, @@global.log_bin_trust_function_creators AS trust,
      @@global.gtid_mode AS gtid, @@global.max_allowed_packet AS packet`,
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
    gtidMode: row?.gtid ?? "",
    maxPacketBytes: Number(row?.packet),
  };
}

/** Every requirement of a selection on its target: found, required, what to change. Changes nothing. */
export async function preflightTarget(connection: MysqlConnection, selection: RestoreSelection): Promise<Finding[]> {
  const server = await readTargetServer(connection);
  return [
    versionFinding(server, selection),
    equalFinding("lower_case_table_names", server.lowerCaseTableNames, selection.model.server.lowerCaseTableNames),
    {
      setting: "read_only",
      found: onOff(server.readOnly),
      required: "OFF",
      ok: !server.readOnly,
      level: "required",
      change: "SET GLOBAL super_read_only = OFF, GLOBAL read_only = OFF",
      code: "TARGET_UNSUITABLE",
    },
    {
      setting: "local_infile",
      found: onOff(server.localInfile),
      required: "ON, or the right to switch it on for the time of the restore; else rows come by INSERT, slower",
      ok: server.localInfile,
      level: "advised",
      change: "SET GLOBAL local_infile = ON",
    },
    ...primaryKeyFindings(server, selection),
    ...functionFindings(server, selection),
    await engineFinding(connection, selection),
    ...(await privilegeFindings(connection, selection)),
    spaceFinding(selection),
  ];
}

/** Throws TARGET_UNSUITABLE (or SOURCE_GRANT_MISSING where only rights are missing) with all required findings that are not met. */
export function assertSuitable(findings: readonly Finding[]): void {
  const unmet = findings.filter(({ ok, level }) => ok === false && level === "required");
  if (unmet.length === 0) return;
  const list = unmet.map(({ setting, found, required }) => `${setting} is ${found}, required ${required}`);
  const changes = unmet.flatMap(({ change }) => change ?? []);
  const code = unmet.every((finding) => finding.code === "SOURCE_GRANT_MISSING")
    ? "SOURCE_GRANT_MISSING"
    : "TARGET_UNSUITABLE";
  throw new AppError(code, `the target can't take this backup: ${list.join("; ")}`, {
    hint: changes.length > 0 ? `Run on the target: ${changes.join("; ")}.` : "Restore into another server.",
  });
}

/** Throws TARGET_IS_SOURCE when objects would come back under their own names on the server that they came from. */
export async function assertNotSource(connection: MysqlConnection, selection: RestoreSelection): Promise<void> {
  const { uuid } = await readTargetServer(connection);
  if (uuid !== selection.model.server.serverUuid) return;
  const { tables, schemas, mapping } = selection;
  const same = [
    ...schemas.filter(({ name, whole }) => whole && mapping.schema(name) === name).map(({ name }) => name),
    ...tables
      .filter(({ model, to }) => model.schema === to.schema && model.name === to.name)
      .map(({ to }) => to.schema),
  ];
  if (same.length === 0) return;
  throw new AppError(
    "TARGET_IS_SOURCE",
    `the target is the server that was backed up, and ${quoteName(same[0] ?? "")} would keep its name`,
    {
      hint: "Restore under another name (--as old=new); to bring back what was dropped, use --into-non-empty, which never replaces anything.",
    },
  );
}

function versionFinding({ version }: TargetServer, { model }: RestoreSelection): Finding {
  const wanted = model.server.version;
  return {
    setting: "version",
    found: version,
    required: `${majorMinor(wanted).join(".")} or later`,
    ok: compareVersions(majorMinor(version), majorMinor(wanted)) >= 0,
    level: "required",
    code: "TARGET_UNSUITABLE",
  };
}

function majorMinor(version: string): [number, number] {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return [major, minor];
}

function compareVersions(a: [number, number], b: [number, number]): number {
  return a[0] - b[0] || a[1] - b[1];
}

function equalFinding(setting: string, found: number, required: number): Finding {
  const ok = found === required;
  return {
    setting,
    found: String(found),
    required: String(required),
    ok,
    level: "required",
    code: "TARGET_UNSUITABLE",
  };
}

function primaryKeyFindings(server: TargetServer, { tables }: RestoreSelection): Finding[] {
  const without = tables.filter(({ model }) => model.primaryKey.length === 0).length;
  if (without === 0) return [];
  return [
    {
      setting: "sql_require_primary_key",
      found: onOff(server.requiresPrimaryKey),
      required: `OFF, for ${without} tables without a primary key`,
      ok: !server.requiresPrimaryKey,
      level: "required",
      change: "SET GLOBAL sql_require_primary_key = OFF",
      code: "TARGET_UNSUITABLE",
    },
  ];
}

/** With a binlog, the server takes only functions that say they are safe to log, unless it trusts their creators. */
function functionFindings(server: TargetServer, { routines }: RestoreSelection): Finding[] {
  const unsafe = routines.filter(({ kind, createSql }) => kind === "FUNCTION" && !saysItIsSafe(createSql)).length;
  if (unsafe === 0 || !server.logsFunctions) return [];
  return [
    {
      setting: "log_bin_trust_function_creators",
      found: onOff(server.trustsFunctions),
      required: `ON, for ${unsafe} functions that are not DETERMINISTIC, NO SQL or READS SQL DATA`,
      ok: server.trustsFunctions,
      level: "required",
      change: "SET GLOBAL log_bin_trust_function_creators = ON",
      code: "TARGET_UNSUITABLE",
    },
  ];
}

function saysItIsSafe(createSql: string): boolean {
  const tokens = tokenize(createSql);
  return tokens.some((token, index) => {
    const [before, next] = [tokens[index - 1], tokens[index + 1]];
    if (isKeyword(token, "DETERMINISTIC")) return !isKeyword(before, "NOT");
    return (isKeyword(token, "NO") || isKeyword(token, "READS")) && isKeyword(next, "SQL");
  });
}

async function engineFinding(connection: MysqlConnection, { tables }: RestoreSelection): Promise<Finding> {
  const wanted = [...new Set(tables.map(({ model }) => model.engine))];
  const rows = await connection.query<"engine">(
    `SELECT engine FROM information_schema.engines WHERE support IN ('YES', 'DEFAULT') AND engine IN (${quoteList(wanted)})`,
  );
  const found = rows.map(({ engine }) => engine?.toLowerCase());
  const missing = wanted.filter((engine) => !found.includes(engine.toLowerCase()));
  return {
    setting: "storage engines",
    found: missing.length === 0 ? "all there" : `without ${missing.join(", ")}`,
    required: wanted.join(", ") || "none",
    ok: missing.length === 0,
    level: "required",
    code: "TARGET_UNSUITABLE",
  };
}

function spaceFinding({ tables }: RestoreSelection): Finding {
  const dataBytes = tables.reduce((sum, { model }) => sum + model.dataBytes, 0);
  return {
    setting: "free space",
    found: "not to be known over a connection",
    required: `about ${Math.ceil((dataBytes * 2) / 1e6)} MB`,
    ok: "unknown",
    level: "advised",
  };
}

function onOff(value: boolean): string {
  return value ? "ON" : "OFF";
}
