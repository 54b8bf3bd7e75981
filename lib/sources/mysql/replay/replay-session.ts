import { createHash } from "node:crypto";
import { AppError } from "../../../core/errors.ts";
import type { Logger } from "../../../core/log.ts";
import { type MysqlConnection, openConnection } from "../connection.ts";
import { setWhereAllowed } from "../restore-session.ts";
import type { MysqlTarget } from "../url.ts";

export interface ReplaySessionOptions {
  target: MysqlTarget;
  targetBinlog: "on" | "off";
  checkpointSchema: string;
  signal: AbortSignal;
  logger: Logger;
}

/** The session that applies a log; no other replays into the same restore while it lives. */
export async function openReplaySession(request: ReplaySessionOptions): Promise<MysqlConnection> {
  const { target, targetBinlog, signal, logger } = request;
  const connection = await openConnection(target, { signal, localInfile: true });
  try {
    await connection.execute(`SET SESSION ${REQUIRED}`);
    if (targetBinlog === "off") await connection.execute("SET SESSION sql_log_bin = OFF");
    for (const setting of WHERE_ALLOWED) await setWhereAllowed(connection, `SESSION ${setting}`, logger);
    await lockOutReplays(connection, request.checkpointSchema);
    return connection;
  } catch (error: unknown) {
    connection.destroy();
    throw error;
  }
}

/**
 * Waits until no other session replays into this restore. One whose client was killed still ends its statement, which may be
 * a COMMIT or DDL that its checkpoint does not show yet; the server lets go of the lock when that session is over.
 */
export async function lockOutReplays(connection: MysqlConnection, checkpointSchema: string): Promise<void> {
  const name = lockName(checkpointSchema);
  const [row] = await connection.query<"got">("SELECT GET_LOCK(?, ?) AS got", [name, LOCK_WAIT_SECONDS]);
  if (row?.got === "1") return;
  throw new AppError("RESTORE_FAILED", `another session still replays into this restore after ${LOCK_WAIT_SECONDS} s`, {
    hint: `On the target, SELECT IS_USED_LOCK('${name}') gives its id: wait for its end, or KILL it.`,
    retryable: true,
  });
}

/** The user-level lock of a restore; such a name may have 64 characters. */
export function lockName(checkpointSchema: string): string {
  return `resguardo-${createHash("sha256").update(checkpointSchema).digest("hex").slice(0, 32)}`;
}

const LOCK_WAIT_SECONDS = 600;

// An idle session keeps the lock until the server gives it up.
const REQUIRED = "transaction_isolation = 'READ-COMMITTED', innodb_lock_wait_timeout = 3600, wait_timeout = 3600";

// What a source logged was right there: the target's own rules for new tables don't apply.
const WHERE_ALLOWED = [
  "sql_generate_invisible_primary_key = OFF",
  "sql_require_primary_key = OFF",
  "innodb_strict_mode = OFF",
  "restrict_fk_on_non_standard_key = OFF",
];
