import { createConnection } from "mysql2/promise";
import { type MysqlOptions, type MysqlServer, startMysql } from "../../../local/servers/mysql.ts";

/** A log that is read as one file; the target is another server. */
export async function startPair(
  resources: AsyncDisposableStack,
  options: MysqlOptions = {},
): Promise<{ source: MysqlServer; target: MysqlServer }> {
  const source = resources.use(await startMysql({ options: { max_binlog_size: "1G", ...options } }));
  const target = resources.use(await startMysql({ options: { server_id: 2, ...options } }));
  return { source, target };
}

export function loginOf(server: MysqlServer): string[] {
  const { hostname, port, username, password } = new URL(server.url);
  return [`--host=${hostname}`, `--port=${port}`, `--user=${username}`, `--password=${decodeURIComponent(password)}`];
}

/** Runs statements one after the other. */
export async function run(server: MysqlServer, sql: string): Promise<void> {
  const connection = await createConnection({ uri: server.url, multipleStatements: true });
  await connection.query(sql);
  await connection.end();
}

/** `CHECKSUM TABLE` of these tables. */
export async function checksums(server: MysqlServer, tables: string): Promise<string> {
  const connection = await createConnection(server.url);
  const [rows] = await connection.query(`CHECKSUM TABLE ${tables}`);
  await connection.end();
  return JSON.stringify(rows);
}
