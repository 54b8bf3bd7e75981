import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createConnection } from "mysql2/promise";
import { mysqlClient } from "../../../local/servers/mysql-programs.ts";
import type { MysqlServer } from "../../../local/servers/mysql.ts";
import type { Contenders, Contest } from "../pairs.ts";
import { figuresOf, runCli, runShell, shellQuote } from "../run-process.ts";
import { vaultIn, writePolicy } from "./policy.ts";
import { loginOf, run, startPair } from "./servers.ts";

const LOG_BYTES = 300e6;
const FILE = "binlog.000001";

const SCHEMA = `
SET GLOBAL innodb_flush_log_at_trx_commit = 0;
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

interface Cipher {
  seal: string;
  unseal: string;
}

/**
 * Shipping a log that is there, against the stock tool piped through the same compressor and cipher. Either is on the disk when
 * it ends, and ours is hashed, signed and recorded too.
 */
export function shipAgainstMysqlbinlog(folder: string, cipher: Cipher): Contest {
  return { id: "ship-mysqlbinlog", ratioAtMost: 1.2, open: (resources) => openShipping(resources, folder, cipher) };
}

async function openShipping(
  resources: AsyncDisposableStack,
  folder: string,
  { seal, unseal }: Cipher,
): Promise<Contenders> {
  const { source, target } = await startPair(resources);
  const env = await writePolicy(folder, source, target, "shipped");
  await makeLog(source);
  return {
    ours: async () => {
      await emptyFolder(vaultIn(folder));
      const shipped = await runCli(["ship", "bench", "--json"], env);
      const plainBytes = Number(figuresOf(shipped)["plainBytes"]);
      if (!(plainBytes >= LOG_BYTES)) throw new Error(`${plainBytes} bytes of log were shipped`);
      return shipped;
    },
    peer: async () => {
      const raw = await emptyFolder(join(folder, "raw"));
      const options = ["--read-from-remote-server", "--raw", `--result-file=${raw}/`, ...loginOf(source), FILE];
      const dump = (await mysqlClient("mysqlbinlog", options)).map(shellQuote).join(" ");
      const pipe = shellQuote(join(raw, FILE));
      const sealed = shellQuote(join(raw, "sealed"));
      const shipped = await runShell(
        `mkfifo ${pipe}; (cat ${pipe} | ${seal} > ${sealed}; sync ${sealed}) & ${dump}; wait $!`,
      );
      await runShell(`test "$(cat ${sealed} | ${unseal} | wc -c)" -ge ${LOG_BYTES}`);
      return shipped;
    },
  };
}

async function emptyFolder(path: string): Promise<string> {
  await rm(path, { recursive: true, force: true });
  await mkdir(path);
  return path;
}

async function makeLog(source: MysqlServer): Promise<void> {
  await run(source, SCHEMA);
  const connection = await createConnection(source.url);
  for (let bytes = 0; bytes < LOG_BYTES;) {
    await connection.query("CALL shipped.work(2000)");
    const [rows] = await connection.query("SHOW BINARY LOGS");
    bytes = Number((rows as { File_size: number }[])[0]?.File_size);
  }
  await connection.end();
}
