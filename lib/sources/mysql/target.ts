import { AppError } from "../../core/errors.ts";
import type { Finding } from "../engine.ts";
import type { MysqlConnection } from "./connection.ts";
import { type Privileges, readPrivileges } from "./privileges.ts";
import { quoteList, quoteName } from "./quoting.ts";
import type { RestoreSelection } from "./selection.ts";
import { privilegeFindings } from "./target-privileges.ts";
import { onOff, readTargetServer, settingFindings, type TargetServer, versionNumbers } from "./target-server.ts";
import { saysItIsSafe } from "./replay/log-needs.ts";
import { tokenize } from "./tokens.ts";

/** Every requirement of a selection on its target: found, required, what to change. Changes nothing. */
export async function preflightTarget(connection: MysqlConnection, selection: RestoreSelection): Promise<Finding[]> {
  const server = await readTargetServer(connection);
  const privileges = await readPrivileges(connection);
  return [
    versionFinding(server, selection),
    equalFinding("lower_case_table_names", server.lowerCaseTableNames, selection.model.server.lowerCaseTableNames),
    ...settingFindings(server),
    ...primaryKeyFindings(server, selection),
    ...functionFindings(server, privileges, countFunctions(selection)),
    await engineFinding(connection, selection),
    ...(await privilegeFindings(connection, privileges, selection)),
    spaceFinding(selection),
  ];
}

/** Throws TARGET_UNSUITABLE (or SOURCE_GRANT_MISSING where only rights are missing) with all required findings that are not met. */
export function assertSuitable(findings: readonly Finding[], what = "this backup"): void {
  const unmet = findings.filter(({ ok, level }) => ok === false && level === "required");
  if (unmet.length === 0) return;
  const list = unmet.map(({ setting, found, required }) => `${setting} is ${found}, required ${required}`);
  const changes = unmet.flatMap(({ change }) => change ?? []);
  const code = unmet.every((finding) => finding.code === "SOURCE_GRANT_MISSING")
    ? "SOURCE_GRANT_MISSING"
    : "TARGET_UNSUITABLE";
  throw new AppError(code, `the target can't take ${what}: ${list.join("; ")}`, {
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
    required: `${versionNumbers(wanted).join(".")} or later`,
    ok: compareVersions(versionNumbers(version), versionNumbers(wanted)) >= 0,
    level: "required",
    code: "TARGET_UNSUITABLE",
  };
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

function countFunctions({ routines, triggers }: RestoreSelection): FunctionCounts {
  const functions = routines.filter(({ kind }) => kind === "FUNCTION");
  const unsafe = functions.filter(({ createSql }) => !saysItIsSafe(tokenize(createSql))).length;
  return { functions: functions.length, unsafe, triggers: triggers.length };
}

export interface FunctionCounts {
  functions: number;
  /** Functions that don't say that they are safe to log. */
  unsafe: number;
  triggers: number;
}

/**
 * With a binlog, unless it trusts their creators, the server takes only functions that say they are safe to log, and functions
 * and triggers from nobody without SUPER.
 */
export function functionFindings(
  server: TargetServer,
  privileges: Privileges,
  { functions, unsafe, triggers }: FunctionCounts,
): Finding[] {
  const isAllowed = privileges.everywhere("SUPER") || functions + triggers === 0;
  if (!server.logsFunctions || (unsafe === 0 && isAllowed)) return [];
  const reason = isAllowed
    ? `${unsafe} functions that are not DETERMINISTIC, NO SQL or READS SQL DATA`
    : "functions and triggers, without SUPER";
  return [
    {
      setting: "log_bin_trust_function_creators",
      found: onOff(server.trustsFunctions),
      required: `ON, for ${reason}`,
      ok: server.trustsFunctions,
      level: "required",
      change: "SET GLOBAL log_bin_trust_function_creators = ON",
      code: "TARGET_UNSUITABLE",
    },
  ];
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
