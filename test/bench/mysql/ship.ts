import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createConnection } from "mysql2/promise";
import { openDirectoryVault } from "../../../lib/vault/storage/directory.ts";
import { mysqlClient } from "../../../local/servers/mysql-programs.ts";
import { type MysqlServer, startMysql } from "../../../local/servers/mysql.ts";
import { segmentsOf } from "../../support/log-fixture.ts";
import type { Contest } from "../pairs.ts";
import { runNode, runShell, shellQuote } from "../run-process.ts";

export const SHIP_PROGRAM: string = fileURLToPath(new URL("../../support/ship-once.ts", import.meta.url));

const LOG_BYTES = 300e6;
const FILE = "binlog.000001";

const SCHEMA = `
SET GLOBAL sync_binlog = 0, GLOBAL innodb_flush_log_at_trx_commit = 0;
CREATE DATABASE shipped;
USE shipped;
CREATE TABLE orders (id BIGINT PRIMARY KEY AUTO_INCREMENT, a VARCHAR(200), b VARCHAR(200), n INT);
CREATE PROCEDURE work (times INT) BEGIN
  DECLARE i INT DEFAULT 0;
  WHILE i < times DO
    INSERT INTO orders (a, b, n) WITH RECURSIVE s (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM s WHERE k < 25)
      SELECT SHA2(i + k, 512), SHA2(RAND(), 512), i FROM s;
    UPDATE orders SET n = n + 1 WHERE id = LAST_INSERT_ID();
    SET i = i + 1;
  END WHILE;
END;
`;

/** Shipping a log that is there, against the stock tool piped through the same compressor and cipher. */
export async function shipAgainstMysqlbinlog(
  resources: AsyncDisposableStack,
  folder: string,
  { seal, unseal }: { seal: string; unseal: string },
): Promise<Contest> {
  const source = resources.use(await startMysql({ options: { max_binlog_size: "1G" } }));
  let isMade = false;
  const emptyFolder = async (name: string): Promise<string> => {
    if (!isMade) await makeLog(source);
    isMade = true;
    const path = join(folder, name);
    await rm(path, { recursive: true, force: true });
    await mkdir(path);
    return path;
  };
  return {
    id: "ship-mysqlbinlog",
    ratioAtMost: 1.2,
    ours: async () => {
      const vault = await emptyFolder("ship-vault");
      const run = await runNode(SHIP_PROGRAM, [source.url, vault]);
      await assertShipped(vault);
      return run;
    },
    peer: async () => {
      const raw = await emptyFolder("ship-raw");
      const options = ["--read-from-remote-server", "--raw", `--result-file=${raw}/`, ...loginOf(source), FILE];
      const dump = (await mysqlClient("mysqlbinlog", options)).map(shellQuote).join(" ");
      const pipe = shellQuote(join(raw, FILE));
      const sealed = shellQuote(join(raw, "sealed"));
      const run = await runShell(`mkfifo ${pipe}; (cat ${pipe} | ${seal} > ${sealed}) & ${dump}; wait $!`);
      await runShell(`test "$(cat ${sealed} | ${unseal} | wc -c)" -ge ${LOG_BYTES}`);
      return run;
    },
  };
}

async function makeLog(source: MysqlServer): Promise<void> {
  const connection = await createConnection({ uri: source.url, multipleStatements: true });
  await connection.query(SCHEMA);
  for (let bytes = 0; bytes < LOG_BYTES;) {
    await connection.query("CALL shipped.work(2000)");
    const [rows] = await connection.query("SHOW BINARY LOGS");
    bytes = Number((rows as { File_size: number }[])[0]?.File_size);
  }
  await connection.end();
}

async function assertShipped(folder: string): Promise<void> {
  const segments = await segmentsOf({ name: "primary", storage: openDirectoryVault("primary", folder) });
  const bytes = segments.reduce((sum, { content }) => sum + content.data.plainBytes, 0);
  if (bytes < LOG_BYTES) throw new Error(`the vault holds ${bytes} bytes of log, expected ${LOG_BYTES} at least`);
}

function loginOf(server: MysqlServer): string[] {
  const { hostname, port, username, password } = new URL(server.url);
  return [`--host=${hostname}`, `--port=${port}`, `--user=${username}`, `--password=${decodeURIComponent(password)}`];
}
