import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createConnection } from "mysql2/promise";
import { isTransactionHead, readTransactionHead } from "../../../lib/sources/mysql/binlog/gtid-event.ts";
import { readLog } from "../../../lib/sources/mysql/binlog/log-stream.ts";
import { openDirectoryVault } from "../../../lib/vault/storage/directory.ts";
import { logPlace } from "../../../lib/vault/names.ts";
import { startMysql } from "../../../local/servers/mysql.ts";
import { logReader, segmentsOf } from "../../support/log-fixture.ts";
import { SOURCE } from "../../support/vault-fixture.ts";
import { distributionOf, type Measurement } from "../distribution.ts";
import { runNode } from "../run-process.ts";
import { SHIP_PROGRAM } from "./ship.ts";

const PER_SECOND = 500;
const SECONDS = 60;
const CONNECTIONS = 4;
const TICK_MS = 20;

/** Seconds from a transaction's commit until the segment that ends it stands in the vault, under a steady load. */
export function shipDelay(folder: string): Measurement {
  return {
    id: "ship-delay",
    // The default segment interval, and two seconds.
    p95AtMost: 12,
    run: async () => {
      await using server = await startMysql({ options: {} });
      const path = join(folder, "delay-vault");
      await mkdir(path, { recursive: true });
      const shipping = runNode(SHIP_PROGRAM, [server.url, path, String(SECONDS + 5)]);
      const [{ rssMb }] = await Promise.all([shipping, load(server.url)]);
      return distributionOf("ship-delay", await delays(path), rssMb);
    },
  };
}

/** As many single inserts a second, whatever the server's answers take. */
async function load(url: string): Promise<void> {
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => createConnection(url)));
  const [first] = connections;
  await first?.query("CREATE DATABASE load_test");
  await first?.query("CREATE TABLE load_test.t (id BIGINT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200))");
  const started = performance.now();
  let sent = 0;
  const answers: Promise<unknown>[] = [];
  while (performance.now() - started < SECONDS * 1000) {
    const due = Math.floor(((performance.now() - started) / 1000) * PER_SECOND);
    for (; sent < due; sent++) {
      const connection = connections[sent % CONNECTIONS];
      if (connection) answers.push(connection.query("INSERT INTO load_test.t (v) VALUES (SHA2(RAND(), 512))"));
    }
    await sleep(TICK_MS);
  }
  await Promise.all(answers);
  await Promise.all(connections.map((connection) => connection.end()));
}

async function delays(folder: string): Promise<number[]> {
  const vault = { name: "primary", storage: openDirectoryVault("primary", folder) };
  const segments = await segmentsOf(vault);
  const storedMs = new Map<string, number>();
  for await (const { name, createdAt } of vault.storage.data.list(logPlace(SOURCE).prefix)) {
    storedMs.set(name, createdAt.getTime());
  }
  const reader = logReader(vault);
  const commitsMs: number[] = [];
  for await (const { events } of readLog(segments, (segment) => reader.read(segment))) {
    for (const event of events) {
      if (!isTransactionHead(event.type)) continue;
      commitsMs.push(Number(readTransactionHead(event).immediateCommitMicros) / 1000);
    }
  }
  // Transactions end in the order in which they begin, so each segment has the next ones.
  let ended = 0;
  return segments.flatMap(({ name, content }) => {
    const commits = commitsMs.slice(ended, (ended += content.transactions));
    return commits.map((commitMs) => ((storedMs.get(name) ?? Number.NaN) - commitMs) / 1000);
  });
}
