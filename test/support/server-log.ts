import { createReadStream } from "node:fs";
import { join } from "node:path";
import type { RowDataPacket } from "mysql2/promise";
import { readEvents } from "../../lib/sources/mysql/binlog/event.ts";
import { GtidSet } from "../../lib/sources/mysql/gtid-set.ts";
import type { LogPiece } from "../../lib/sources/mysql/replay/replay.ts";
import { connectTo, type TestMysql } from "./mysql.ts";

/** A server on this machine whose binlog files can be read from its disk. */
export type LoggingServer = Pick<TestMysql, "url" | "dataDir">;

/** The binlog files of a test server as they are on its disk now. */
async function logFiles(server: LoggingServer): Promise<string[]> {
  await using connection = await connectTo(server);
  const [rows] = await connection.query<RowDataPacket[]>("SHOW BINARY LOGS");
  return rows.map((row) => String(row["Log_name"]));
}

/** Reads a test server's binlog files, from the first or the named one. */
export async function* serverLog(server: LoggingServer, fromFile?: string): AsyncGenerator<LogPiece> {
  const files = await logFiles(server);
  for (const file of files.slice(fromFile === undefined ? 0 : files.indexOf(fromFile))) {
    const bytes = createReadStream(join(server.dataDir, file), { highWaterMark: 1024 * 1024 });
    for await (const events of readEvents(bytes)) yield { file, events };
  }
}

/** What the server has executed. */
export async function executedGtids(server: { url: string }): Promise<GtidSet> {
  await using connection = await connectTo(server);
  const [rows] = await connection.query<RowDataPacket[]>("SELECT @@global.gtid_executed AS gtids");
  return GtidSet.parse(String(rows[0]?.["gtids"]));
}

/** `CHECKSUM TABLE` of every table of some schemas, and its definition but for AUTO_INCREMENT, which counts rows taken back too. */
export async function tableStates(
  server: { url: string },
  schemas: readonly string[],
): Promise<Record<string, string>> {
  await using connection = await connectTo(server);
  const [tables] = await connection.query<RowDataPacket[]>(
    "SELECT table_schema AS s, table_name AS n FROM information_schema.tables WHERE table_schema IN (?) AND table_type = 'BASE TABLE' ORDER BY 1, 2",
    [schemas],
  );
  const states: Record<string, string> = {};
  for (const { s, n } of tables) {
    const name = `\`${s}\`.\`${n}\``;
    const [[sum]] = await connection.query<RowDataPacket[]>(`CHECKSUM TABLE ${name}`);
    const [[create]] = await connection.query<RowDataPacket[]>(`SHOW CREATE TABLE ${name}`);
    const definition = String(create?.["Create Table"]).replace(/ AUTO_INCREMENT=\d+/, "");
    states[`${s}.${n}`] = `${sum?.["Checksum"]} ${definition}`;
  }
  return states;
}
