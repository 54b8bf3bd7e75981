import { AppError } from "../../../core/errors.ts";
import type { MysqlConnection } from "../connection.ts";
import { GtidSet } from "../gtid-set.ts";
import { readLogIdentity, readLogPosition } from "../read-position.ts";
import type { ServerLog } from "./log-audit.ts";
import type { FileOffset } from "./log-position.ts";

/** Reads what the server has of its log. Throws the SOURCE_… codes. */
export async function readServerLog(connection: MysqlConnection): Promise<ServerLog & { hasChecksum: boolean }> {
  const identity = await readLogIdentity(connection);
  const [row] = await connection.query<"executed" | "purged" | "checksum">(
    "SELECT @@global.gtid_executed AS executed, @@global.gtid_purged AS purged, @@global.binlog_checksum AS checksum",
  );
  const files = await connection.query<"Log_name" | "File_size">("SHOW BINARY LOGS");
  return {
    ...identity,
    executed: GtidSet.parse(row?.executed ?? ""),
    purged: GtidSet.parse(row?.purged ?? ""),
    hasChecksum: row?.checksum === "CRC32",
    files: files.map(({ Log_name, File_size }) => ({ file: Log_name ?? "", sizeBytes: Number(File_size) })),
  };
}

/** Everything that the server committed until `time` is in its log before `position`. */
export interface LogMark {
  /** By the server's clock; ISO 8601 with microseconds. */
  time: string;
  position: FileOffset;
}

/**
 * The time is read before the position, and both a commit's time and the position are set under the log's lock: what the
 * position misses was committed later than the time.
 */
export async function readLogMark(connection: MysqlConnection): Promise<LogMark> {
  const [row] = await connection.query<"now">("SELECT UTC_TIMESTAMP(6) AS now");
  const { file, offset } = await readLogPosition(connection);
  if (typeof row?.now !== "string") throw new AppError("SOURCE_PROTOCOL", "the server did not tell its time");
  return { time: `${row.now.replace(" ", "T")}Z`, position: { file, offset } };
}

/** ISO 8601 with microseconds. */
export function formatMicros(micros: bigint): string {
  const seconds = new Date(Number(micros / 1_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(micros % 1_000_000n).padStart(6, "0")}Z`;
}
