import { setTimeout as sleep } from "node:timers/promises";
import { createConnection } from "mysql2/promise";
import { isTransactionHead, readTransactionHead } from "../../../lib/sources/mysql/binlog/gtid-event.ts";
import { readLog } from "../../../lib/sources/mysql/binlog/log-stream.ts";
import { openContext } from "../../../lib/vault/context.ts";
import { logPlace } from "../../../lib/vault/names.ts";
import { readValidSegments } from "../../../lib/vault/segment-heads.ts";
import { listSegments } from "../../../lib/vault/segment-index.ts";
import { SegmentReader } from "../../../lib/vault/segment-reader.ts";
import { distributionOf, type Measurement } from "../measurement.ts";
import { runCli } from "../run-process.ts";
import { type BenchEnv, writePolicy } from "./policy.ts";
import { startPair } from "./servers.ts";

/** The default segment interval, and two seconds. */
const P95_AT_MOST = 12;
const PER_SECOND = 500;
const SECONDS = 60;
const CONNECTIONS = 4;
const TICK_MS = 20;

/** Seconds from a transaction's commit until the segment that ends it stands in the vault, under a steady load. */
export function shipDelay(folder: string): Measurement {
  return {
    id: "ship-delay",
    run: async () => {
      await using resources = new AsyncDisposableStack();
      const { source, target } = await startPair(resources);
      const env = await writePolicy(folder, source, target, "load_test");
      const shipping = runCli(["ship", "bench", "--for", `${SECONDS + 5}s`], env);
      const [{ rssMb }] = await Promise.all([shipping, load(source.url)]);
      return distributionOf(await delays(env), P95_AT_MOST, rssMb);
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

async function delays(env: BenchEnv): Promise<number[]> {
  const context = await openContext(env);
  const [vault] = context.vaults.values();
  if (vault === undefined) throw new Error("the policy has no vault");
  const query = { vault, source: "bench", trusted: await context.trustedKeys() };
  const { entries } = await listSegments(query);
  const segments = await Array.fromAsync(readValidSegments(query, entries));
  const storedMs = new Map<string, number>();
  for await (const { name, createdAt } of vault.storage.data.list(logPlace("bench").prefix)) {
    storedMs.set(name, createdAt.getTime());
  }
  const reader = new SegmentReader(query, [await context.decryptionKey()]);
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
