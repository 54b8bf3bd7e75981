import { type Clock, formatDuration, systemClock } from "../../core/time.ts";
import { parseSchedule } from "../../core/schedule.ts";
import type { SourcePolicy } from "../../core/policy-schema.ts";
import type { Finding, SourceContext } from "../engine.ts";
import { type MysqlConnection, openConnection } from "./connection.ts";
import { grantFindings } from "./preflight-grants.ts";
import { quoteList } from "./quoting.ts";
import { visibleSchemas } from "./schema.ts";
import { parseMysqlUrl } from "./url.ts";

/** Beyond this, times in manifests and the freshness computed from them are not worth their digits. */
const MAX_SKEW_MS = 5_000;
/** A log must outlive this many rounds of shipping, so that some can fail. */
const ROUNDS = 10;

/**
 * Every requirement of a source: found, required, what to change. Changes nothing, and looks at everything before it
 * returns. Throws only when it can't connect.
 */
export async function preflightMysql(context: SourceContext, clock: Clock = systemClock): Promise<Finding[]> {
  const { source, signal } = context;
  await using connection = await openConnection(parseMysqlUrl(context.url), { signal });
  const present = await visibleSchemas(connection);
  const schemas = source.databases ?? present;
  return [
    versionFinding(connection.serverVersion),
    databaseFinding(schemas, present),
    ...(await settingFindings(connection, source)),
    await clockFinding(connection, clock),
    ...(await grantFindings(connection, schemas, source)),
    await engineFinding(connection, schemas, source.excludeTables),
  ];
}

function versionFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return {
    setting: "version",
    found: version,
    required: "8.4 or later",
    ok: major > 8 || (major === 8 && minor >= 4),
    level: "required",
    code: "SOURCE_UNSUPPORTED",
  };
}

/** A database that the account may not see is the same to it as one that is not there. */
function databaseFinding(wanted: readonly string[], present: readonly string[]): Finding {
  const missing = wanted.filter((name) => !present.includes(name));
  return {
    setting: "databases",
    found: missing.length === 0 ? wanted.join(", ") || "none" : `not there, or not visible: ${missing.join(", ")}`,
    required: "each one that the policy names",
    ok: missing.length === 0,
    level: "required",
    change: 'Correct "databases" in the policy, or grant the account access to them',
    code: "SOURCE_SETTING_WRONG",
  };
}

type Variable = "bin" | "format" | "image" | "gtid" | "expire" | "purges" | "replica" | "relayed";

async function settingFindings(connection: MysqlConnection, source: SourcePolicy): Promise<Finding[]> {
  const [row] = await connection.query<Variable>(
    `SELECT @@log_bin AS bin, @@global.binlog_format AS format, @@global.binlog_row_image AS image,
      @@gtid_mode AS gtid, @@binlog_expire_logs_seconds AS expire, @@binlog_expire_logs_auto_purge AS purges,
      @@log_replica_updates AS relayed`,
  );
  const found = (name: Variable): string => row?.[name] ?? "";
  return [
    {
      setting: "log_bin",
      found: onOff(found("bin")),
      required: "ON: the position of a backup is one in the binlog",
      ok: found("bin") === "1",
      level: "required",
      change: "log_bin=binlog in the server's configuration, and a restart",
      code: "SOURCE_POSITION_UNREADABLE",
    },
    advised("binlog_format", found("format"), "ROW", "SET PERSIST binlog_format = ROW"),
    advised("binlog_row_image", found("image"), "FULL", "SET PERSIST binlog_row_image = FULL"),
    advised(
      "gtid_mode",
      found("gtid"),
      "ON",
      "SET PERSIST enforce_gtid_consistency = ON, then gtid_mode step by step to ON",
    ),
    advised("log_replica_updates", onOff(found("relayed")), "ON", "log_replica_updates=ON, and a restart"),
    expiryFinding(found("purges") === "1" ? Number(found("expire")) : 0, source),
  ];
}

/** Binlogs that go before they are shipped leave a gap that nothing can fill. */
function expiryFinding(expireSeconds: number, source: SourcePolicy): Finding {
  const { ship } = source.schedule;
  const intervalMs = ship === undefined ? 0 : intervalOf(ship);
  const requiredSeconds = Math.ceil((ROUNDS * intervalMs) / 1000);
  const rounds = `${requiredSeconds} or more: ${ROUNDS} rounds of shipping every ${formatDuration(intervalMs)}`;
  return {
    setting: "binlog_expire_logs_seconds",
    found: expireSeconds === 0 ? "never" : String(expireSeconds),
    required: ship === undefined ? "anything, as long as the policy ships no log" : rounds,
    ok: expireSeconds === 0 || expireSeconds >= requiredSeconds,
    level: "advised",
    change: `SET PERSIST binlog_expire_logs_seconds = ${Math.max(requiredSeconds, 86_400)}`,
  };
}

function intervalOf(expression: string): number {
  const schedule = parseSchedule(expression);
  const first = schedule.next(new Date(0));
  const second = first && schedule.next(first);
  return first === undefined || second === undefined ? 0 : second.getTime() - first.getTime();
}

async function clockFinding(connection: MysqlConnection, clock: Clock): Promise<Finding> {
  const before = clock().getTime();
  const [row] = await connection.query<"ms">("SELECT ROUND(UNIX_TIMESTAMP(NOW(6)) * 1000) AS ms");
  const after = clock().getTime();
  const skewMs = Number(row?.ms) - (before + after) / 2;
  return {
    setting: "clock",
    found: `${formatDuration(Math.abs(skewMs))} ${skewMs < 0 ? "behind" : "ahead of"} this machine's`,
    required: `less than ${formatDuration(MAX_SKEW_MS)} apart`,
    ok: Math.abs(skewMs) < MAX_SKEW_MS,
    level: "advised",
    change: "Synchronise both clocks (NTP)",
  };
}

async function engineFinding(
  connection: MysqlConnection,
  schemas: readonly string[],
  excluded: readonly string[],
): Promise<Finding> {
  const rows = await connection.query<"name" | "engine">(
    `SELECT CONCAT(table_schema, '.', table_name) AS name, engine AS engine FROM information_schema.tables
      WHERE table_schema IN (${quoteList(schemas)}) AND table_type = 'BASE TABLE' AND engine <> 'InnoDB' ORDER BY 1`,
  );
  const others = rows.filter(({ name }) => name !== null && !excluded.includes(name));
  return {
    setting: "storage engines",
    found: others.map(({ name, engine }) => `${name} (${engine})`).join(", ") || "InnoDB",
    required: "InnoDB: other engines have no consistent snapshot",
    ok: others.length === 0,
    level: "required",
    change: "ALTER TABLE … ENGINE = InnoDB, or name the tables in excludeTables",
    code: "SOURCE_UNSUPPORTED",
  };
}

function advised(setting: string, found: string, required: string, change: string): Finding {
  return { setting, found, required, ok: found === required, level: "advised", change };
}

function onOff(value: string): string {
  return value === "1" ? "ON" : "OFF";
}
