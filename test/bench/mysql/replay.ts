import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { createConnection } from "mysql2/promise";
import { mysqlClient } from "../../../local/servers/mysql-programs.ts";
import { type MysqlServer, startMysql } from "../../../local/servers/mysql.ts";
import type { Contest } from "../pairs.ts";
import { runNode, runShell, shellQuote } from "../run-process.ts";

const TRANSACTIONS = 100_000;
const CHECKPOINTS = "resguardo_bench_replay";
const PROGRAM = fileURLToPath(new URL("../../support/replay-process.ts", import.meta.url));

const SCHEMA = `
CREATE DATABASE replayed;
USE replayed;
CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(200), n INT, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, KEY (n));
CREATE TABLE accounts (id INT PRIMARY KEY, balance BIGINT, note VARCHAR(100));
INSERT INTO accounts WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 1000) SELECT i, 0, REPEAT('n', 80) FROM s;
CREATE PROCEDURE work (times INT) BEGIN
  DECLARE i INT DEFAULT 0;
  WHILE i < times DO
    START TRANSACTION;
    INSERT INTO orders (note, n) VALUES (REPEAT(CHAR(65 + i % 26), 100), i);
    UPDATE accounts SET balance = balance + 1 WHERE id = 1 + (i * 7) % 1000;
    UPDATE accounts SET balance = balance - 1 WHERE id = 1 + (i * 13) % 1000;
    COMMIT;
    SET i = i + 1;
  END WHILE;
END;
CALL work(${TRANSACTIONS});
`;

/** Replay of many small transactions, each an insert and two updates, against `mysqlbinlog | mysql`. */
export async function replayAgainstMysqlbinlog(resources: AsyncDisposableStack): Promise<Contest> {
  const source = resources.use(await startMysql({ options: { max_binlog_size: "1G" } }));
  const target = resources.use(await startMysql({ options: { server_id: 2 } }));
  let expected = "";
  const prepare = async (): Promise<void> => {
    if (expected === "") expected = await makeLog(source);
    const connection = await createConnection(target.url);
    await connection.query("DROP DATABASE IF EXISTS replayed");
    await connection.query(`DROP DATABASE IF EXISTS ${CHECKPOINTS}`);
    await connection.end();
  };
  return {
    id: "replay-mysqlbinlog",
    ratioAtMost: 0.1,
    ours: async () => {
      await prepare();
      const run = await runNode(PROGRAM, [source.url, source.dataDir, target.url, CHECKPOINTS]);
      await assertSame(target, expected);
      return run;
    },
    peer: async () => {
      await prepare();
      const log = await mysqlClient("mysqlbinlog", [
        "--skip-gtids",
        "--disable-log-bin",
        join(source.dataDir, "binlog.000001"),
      ]);
      const client = await mysqlClient("mysql", ["--binary-mode", ...loginOf(target)]);
      const run = await runShell(`${log.map(shellQuote).join(" ")} | ${client.map(shellQuote).join(" ")}`);
      await assertSame(target, expected);
      return run;
    },
  };
}

async function makeLog(source: MysqlServer): Promise<string> {
  const connection = await createConnection({ uri: source.url, multipleStatements: true });
  await connection.query(SCHEMA);
  await connection.end();
  return checksums(source);
}

async function assertSame(target: MysqlServer, expected: string): Promise<void> {
  if ((await checksums(target)) !== expected) throw new Error("the replayed tables differ from the source's");
}

async function checksums(server: MysqlServer): Promise<string> {
  const connection = await createConnection(server.url);
  const [rows] = await connection.query("CHECKSUM TABLE replayed.orders, replayed.accounts");
  await connection.end();
  return JSON.stringify(rows);
}

function loginOf(server: MysqlServer): string[] {
  const { hostname, port, username, password } = new URL(server.url);
  return [`--host=${hostname}`, `--port=${port}`, `--user=${username}`, `--password=${decodeURIComponent(password)}`];
}
