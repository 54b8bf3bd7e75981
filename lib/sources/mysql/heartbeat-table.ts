import { AppError } from "../../core/errors.ts";
import type { BackupReader } from "../../vault/backup-reader.ts";
import type { RestoreRequest } from "../engine.ts";
import { type MysqlConnection, openConnection } from "./connection.ts";
import { quoteTable } from "./quoting.ts";
import { readModel } from "./read-model.ts";
import { scopeOf } from "./restore-scope.ts";
import { errorNumber } from "./restore-session.ts";
import { selectItems } from "./selection.ts";
import { parseMysqlUrl } from "./url.ts";

export const HEARTBEAT_SCHEMA = "resguardo";
const HEARTBEAT_TABLE = "heartbeat";
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

const NOT_THERE = new Set([1049, 1146]);

/**
 * The last beat of the source in what was restored: ISO 8601 with six decimals. Null where the restore does not include the table,
 * or the source had not written it by then.
 */
export async function readHeartbeat(request: RestoreRequest, reader: BackupReader): Promise<string | null> {
  const { instant, signal } = request;
  if (instant === undefined) throw new AppError("INVARIANT", "a heartbeat without an instant that was restored");
  const selection = selectItems(await readModel(reader), reader.manifest, request);
  // A target in use can have a heartbeat of its own, which says nothing of the restore.
  const table = scopeOf(selection, request, instant).table({ schema: HEARTBEAT_SCHEMA, name: HEARTBEAT_TABLE });
  if (table === undefined) return null;
  await using connection = await openConnection(parseMysqlUrl(request.targetUrl), { signal });
  try {
    const [row] = await connection.query<"beat">(
      `SELECT DATE_FORMAT(beat_at, '%Y-%m-%dT%H:%i:%s.%fZ') AS beat FROM ${quoteTable(table.schema, table.name)} WHERE source = ?`,
      [reader.manifest.source.name],
    );
    return row?.beat ?? null;
  } catch (error: unknown) {
    if (NOT_THERE.has(errorNumber(error) ?? 0)) return null;
    throw error;
  }
}
