import { join } from "node:path";
import { mysqlClient } from "../../../local/servers/mysql-programs.ts";
import type { Contenders, Contest } from "../pairs.ts";
import { runCli, runShell, shellQuote } from "../run-process.ts";
import { writePolicy } from "./policy.ts";
import { checksums, loginOf, run, startPair } from "./servers.ts";

const TRANSACTIONS = 100_000;
const TABLES = "replayed.orders, replayed.accounts";

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
`;

/**
 * Replay of many small transactions, each an insert and two updates, against `mysqlbinlog | mysql`. Ours is a whole restore: of
 * a full backup made before them, and of the log out of the vault; theirs reads the server's file.
 */
export function replayAgainstMysqlbinlog(folder: string): Contest {
  return { id: "replay-mysqlbinlog", ratioAtMost: 0.1, open: (resources) => openReplay(resources, folder) };
}

async function openReplay(resources: AsyncDisposableStack, folder: string): Promise<Contenders> {
  const { source, target } = await startPair(resources);
  const env = await writePolicy(folder, source, target, "replayed");
  await run(source, SCHEMA);
  await runCli(["backup", "bench"], env);
  await run(source, `CALL replayed.work(${TRANSACTIONS})`);
  await runCli(["ship", "bench"], env);
  const expected = await checksums(source, TABLES);
  const empty = (): Promise<void> => run(target, "DROP DATABASE IF EXISTS replayed");
  const assertSame = async (): Promise<void> => {
    if ((await checksums(target, TABLES)) !== expected) throw new Error("the replayed tables differ from the source's");
  };
  return {
    ours: async () => {
      await empty();
      const restored = await runCli(["restore", "bench", "--target", "env:BENCH_TARGET_URL", "--scratch"], env);
      await assertSame();
      return restored;
    },
    peer: async () => {
      await empty();
      const file = join(source.dataDir, "binlog.000001");
      const log = await mysqlClient("mysqlbinlog", ["--skip-gtids", "--disable-log-bin", file]);
      const client = await mysqlClient("mysql", ["--binary-mode", ...loginOf(target)]);
      const replayed = await runShell(`${log.map(shellQuote).join(" ")} | ${client.map(shellQuote).join(" ")}`);
      await assertSame();
      return replayed;
    },
  };
}
