import { AppError } from "../../core/errors.ts";
import type { Logger } from "../../core/log.ts";
import { type MysqlConnection, openConnection } from "./connection.ts";
import { readDriverError } from "./driver-errors.ts";
import type { MysqlTarget } from "./url.ts";

/** Zero dates and zero counters come back as they were; text that doesn't fit is found by row counts and fingerprints. */
const SQL_MODE = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES";

// The rows were consistent where they came from. A part that an interrupted run still holds is waited for.
const REQUIRED = [
  "foreign_key_checks = 0",
  "unique_checks = 0",
  `sql_mode = '${SQL_MODE}'`,
  "innodb_lock_wait_timeout = 3600",
  "lock_wait_timeout = 3600",
].join(", ");

// Restricted variables, which an account can lack the right to set and a version can lack: each is tried on its own.
const WHERE_ALLOWED = [
  "innodb_ddl_threads = 2",
  "innodb_parallel_read_threads = 2",
  "innodb_ddl_buffer_size = 134217728",
  "innodb_strict_mode = OFF",
  "auto_increment_increment = 1",
  "auto_increment_offset = 1",
  "sql_generate_invisible_primary_key = OFF",
  "sql_require_primary_key = OFF",
  "restrict_fk_on_non_standard_key = OFF",
];

const UNKNOWN_VARIABLE = 1193;

export interface RestoreSessionOptions {
  logger: Logger;
  signal: AbortSignal;
  /** The server exists for this restore only: its binlog needs none of it. */
  scratch?: boolean | undefined;
}

/** A session on the target that takes a backup's text as it is. Throws the SOURCE_… codes. */
export async function openRestoreSession(
  target: MysqlTarget,
  options: RestoreSessionOptions,
): Promise<MysqlConnection> {
  const connection = await openConnection(target, { localInfile: true, signal: options.signal });
  try {
    await connection.execute(`SET SESSION ${REQUIRED}`);
    const wanted = options.scratch === true ? [...WHERE_ALLOWED, "sql_log_bin = OFF"] : WHERE_ALLOWED;
    for (const setting of wanted) await setWhereAllowed(connection, `SESSION ${setting}`, options.logger);
    return connection;
  } catch (error: unknown) {
    connection.destroy();
    throw error;
  }
}

/** Sets a variable where the account may and the server knows it; tells whether it did. */
export async function setWhereAllowed(connection: MysqlConnection, setting: string, logger: Logger): Promise<boolean> {
  try {
    await connection.execute(`SET ${setting}`);
    return true;
  } catch (error: unknown) {
    const refused = error instanceof AppError && error.code === "SOURCE_GRANT_MISSING";
    if (!refused && errorNumber(error) !== UNKNOWN_VARIABLE) throw error;
    logger.debug("setting-left-as-it-is", { setting });
    return false;
  }
}

/** Brings the session back to where `openRestoreSession` left it, after a program was made under settings of its own. */
export async function resetSession(connection: MysqlConnection): Promise<void> {
  const settings = [
    "character_set_client = utf8mb4",
    "collation_connection = utf8mb4_0900_ai_ci",
    "timestamp = DEFAULT",
  ];
  await connection.execute(`SET SESSION sql_mode = '${SQL_MODE}', time_zone = '+00:00', ${settings.join(", ")}`);
}

/**
 * Runs what a restore can do without. Returns why the server refused it, also where the account lacks the right; anything
 * else that fails throws.
 */
export async function refusalOf(run: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await run();
    return undefined;
  } catch (error: unknown) {
    const refusal = toRestoreError(error, "the target refused it");
    const isRefusal = refusal instanceof AppError && ["RESTORE_FAILED", "SOURCE_GRANT_MISSING"].includes(refusal.code);
    if (isRefusal) return refusal.message;
    throw refusal;
  }
}

/** The number that the server gave for a failed statement. */
export function errorNumber(error: unknown): number | undefined {
  return readDriverError(error instanceof AppError ? error.cause : error)?.number;
}

/**
 * Says which step of a restore a refused statement belongs to. Other failures (connection, rights, vault) pass as they are.
 */
export function toRestoreError(error: unknown, step: string): unknown {
  if (!(error instanceof AppError) || error.code !== "SOURCE_QUERY_FAILED") return error;
  const found = readDriverError(error.cause);
  const reason = found?.number === undefined ? error.message : `server error ${found.number} (${found.name})`;
  return new AppError("RESTORE_FAILED", `${step}: ${reason}`, {
    hint: "Remove the reason on the target and run the same restore again: it goes on where it stopped.",
    cause: error.cause,
  });
}
