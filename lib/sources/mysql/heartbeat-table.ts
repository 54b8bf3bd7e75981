import type { MysqlConnection } from "./connection.ts";

export const HEARTBEAT_SCHEMA = "resguardo";
/** What the account needs there. */
export const HEARTBEAT_PRIVILEGES: readonly string[] = ["CREATE", "INSERT", "UPDATE"];

/**
 * Writes the server's time into `resguardo.heartbeat`. Restored data then tells by itself up to when it reaches. Throws
 * SOURCE_GRANT_MISSING where the account may not.
 */
export async function writeHeartbeat(connection: MysqlConnection, source: string): Promise<void> {
  const beat = "INSERT INTO resguardo.heartbeat (source, beat_at) VALUES (?, UTC_TIMESTAMP(6)) AS new";
  await connection.execute("CREATE DATABASE IF NOT EXISTS resguardo");
  await connection.execute(
    "CREATE TABLE IF NOT EXISTS resguardo.heartbeat (source VARCHAR(63) PRIMARY KEY, beat_at DATETIME(6) NOT NULL)",
  );
  await connection.execute(`${beat} ON DUPLICATE KEY UPDATE beat_at = new.beat_at`, [source]);
}
