import { AppError } from "../../core/errors.ts";
import type { MysqlConnection } from "./connection.ts";
import { GtidSet } from "./gtid-set.ts";
import type { BinlogPosition, SourcePosition } from "./position.ts";

/** What does not change while a server runs and its administrator sleeps. */
export type LogIdentity = Pick<SourcePosition, "serverUuid" | "gtidMode">;

/** Which server this is, and whether it writes GTIDs. Throws SOURCE_POSITION_UNREADABLE when it has no binlog at all. */
export async function readLogIdentity(connection: MysqlConnection): Promise<LogIdentity> {
  const [row] = await connection.query<"uuid" | "mode" | "bin">(
    "SELECT @@server_uuid AS uuid, @@gtid_mode AS mode, @@log_bin AS bin",
  );
  if (row?.bin !== "1") throw logOff();
  return { serverUuid: row.uuid ?? "", gtidMode: row.mode ?? "" };
}

/** Reads where the server's binlog stands, in one round trip. Throws SOURCE_POSITION_UNREADABLE. */
export async function readLogPosition(connection: MysqlConnection): Promise<BinlogPosition & { gtidSet: string }> {
  const [status] = await readStatus(connection);
  if (status?.File === undefined || status.File === null) throw logOff();
  const gtidSet = GtidSet.parse(status.Executed_Gtid_Set ?? "").toString();
  return { gtidSet, file: status.File, offset: Number(status.Position) };
}

async function readStatus(connection: MysqlConnection) {
  try {
    return await connection.query<"File" | "Position" | "Executed_Gtid_Set">("SHOW BINARY LOG STATUS");
  } catch (error: unknown) {
    if (!(error instanceof AppError) || error.code === "SOURCE_CONNECTION_LOST") throw error;
    const hint =
      error.code === "SOURCE_GRANT_MISSING"
        ? "GRANT REPLICATION CLIENT ON *.* to the backup's user."
        : "SHOW BINARY LOG STATUS must be there: MySQL 8.4 or later.";
    throw unreadable("SHOW BINARY LOG STATUS was refused", hint, error);
  }
}

function logOff(): AppError {
  return unreadable("binary logging is off", "Set log_bin in the server's configuration and restart it.");
}

function unreadable(found: string, hint: string, cause?: unknown): AppError {
  return new AppError("SOURCE_POSITION_UNREADABLE", `binlog position: ${found}`, { hint, cause });
}
