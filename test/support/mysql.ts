import { randomBytes } from "node:crypto";
import { type Connection, createConnection } from "mysql2/promise";
import { type MysqlOptions, type MysqlServer, startMysql } from "../../local/servers/mysql.ts";

export type TestMysql = MysqlServer;

/** A real MySQL server for one test file; `options` are system variables that override the defaults. */
export async function startTestMysql(options: MysqlOptions = {}): Promise<TestMysql> {
  return startMysql({ options });
}

/** A root connection that closes itself; `multipleStatements` is on, so that a test can send a whole script. */
export async function connectTo(server: { url: string }, database?: string): Promise<Connection & AsyncDisposable> {
  const connection = await createConnection({ uri: urlOf(server, database), multipleStatements: true });
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.end() });
}

/** The server's URL, with a database when given, and as another user when given. */
export function urlOf(server: { url: string }, database?: string, login?: { user: string; password: string }): string {
  const url = new URL(server.url);
  if (database !== undefined) url.pathname = `/${encodeURIComponent(database)}`;
  if (login) {
    url.username = encodeURIComponent(login.user);
    url.password = encodeURIComponent(login.password);
  }
  return url.href;
}

export interface TestDatabase extends AsyncDisposable {
  readonly name: string;
  /** URL of the server with this database, as root. */
  readonly url: string;
}

/** A database of a random name, dropped at the end of the test. `script` runs in it first. */
export async function createDatabase(server: { url: string }, script?: string): Promise<TestDatabase> {
  const name = `t_${randomBytes(6).toString("hex")}`;
  await run(server, `CREATE DATABASE \`${name}\``);
  if (script !== undefined) await run(server, script, name);
  return {
    name,
    url: urlOf(server, name),
    [Symbol.asyncDispose]: () => run(server, `DROP DATABASE IF EXISTS \`${name}\``),
  };
}

/** A user of a random name with exactly the given grants, e.g. `SELECT ON *.*`. Returns the server's URL as that user. */
export async function createUser(server: { url: string }, grants: readonly string[] = []): Promise<string> {
  const login = { user: `u_${randomBytes(4).toString("hex")}`, password: randomBytes(9).toString("base64") };
  const name = `'${login.user}'@'%'`;
  const statements = grants.map((grant) => `GRANT ${grant} TO ${name}`);
  await run(server, [`CREATE USER ${name} IDENTIFIED BY '${login.password}'`, ...statements].join(";\n"));
  return urlOf(server, undefined, login);
}

async function run(server: { url: string }, sql: string, database?: string): Promise<void> {
  await using connection = await connectTo(server, database);
  await connection.query(sql);
}
