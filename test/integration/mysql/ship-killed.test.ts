import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { heldAfter } from "../../../lib/sources/mysql/binlog/log-position.ts";
import { logPositionOf } from "../../../lib/sources/mysql/binlog/log-stream.ts";
import { GtidSet } from "../../../lib/sources/mysql/gtid-set.ts";
import { logChains } from "../../../lib/vault/segment-chain.ts";
import { listSegments } from "../../../lib/vault/segment-index.ts";
import { openDirectoryVault } from "../../../lib/vault/storage/directory.ts";
import { filesIn, logQuery, segmentsOf, shipInto } from "../../support/log-fixture.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { seededRandom } from "../../support/random.ts";

const SEED = 20_261_122;
const ROUNDS = 50;
const PROCESS = new URL("../../support/ship-process.ts", import.meta.url).pathname;

let server: TestMysql;
let folder: string;

beforeAll(async () => {
  server = await startTestMysql();
  folder = await mkdtemp(join(tmpdir(), "resguardo-ship-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await server.stop();
});

/** Commits without a pause until it is stopped, and starts a new file now and then. Returns how often it committed. */
async function load(random: () => number, signal: AbortSignal): Promise<number> {
  await using connection = await connectTo(server);
  await connection.query(
    "CREATE DATABASE shop; CREATE TABLE shop.items (id INT PRIMARY KEY AUTO_INCREMENT, v LONGBLOB)",
  );
  let commits = 0;
  for (; !signal.aborted; commits++) {
    const bytes = random() < 0.002 ? 3_000_000 : Math.floor(random() * 3000);
    await connection.query("INSERT INTO shop.items (v) VALUES (REPEAT('x', ?))", [bytes]);
    if (random() < 0.002) await connection.query("FLUSH BINARY LOGS");
  }
  return commits;
}

async function shipAndKill(afterMs: number): Promise<void> {
  const child = spawn(process.execPath, [PROCESS, server.url, folder], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  await once(child.stdout, "data");
  setTimeout(() => child.kill("SIGKILL"), afterMs);
  await closed;
  expect(child.signalCode).toBe("SIGKILL");
}

describe("a shipper killed at random instants under load", () => {
  it(`leaves no gap and no duplicate, and loses nothing (seed ${SEED}, ${ROUNDS} rounds)`, async () => {
    const random = seededRandom(SEED);
    const vault = { name: "primary", storage: openDirectoryVault("primary", folder) };
    await vault.storage.prepare();
    const ended = new AbortController();
    const loading = load(seededRandom(SEED + 1), ended.signal);
    for (let round = 0; round < ROUNDS; round++) await shipAndKill(random() * 700);
    ended.abort();
    const commits = await loading;
    await using connection = await connectTo(server);
    await connection.query("FLUSH BINARY LOGS");
    await shipInto(vault, server.url);

    const [rows] = await connection.query("SELECT @@gtid_executed AS gtids");
    const executed = GtidSet.parse(String((rows as { gtids: string }[])[0]?.gtids));
    const segments = await segmentsOf(vault);
    const last = segments.at(-1);
    expect(last && heldAfter(logPositionOf(last)).toString()).toBe(executed.toString());
    expect(segments.reduce((sum, { content }) => sum + content.transactions, 0)).toBe(Number(executed.size));
    expect(Number(executed.size)).toBe(commits + 2);
    const chains = logChains((await listSegments(logQuery(vault))).entries);
    expect(chains.map(({ segments: inChain }) => inChain.length)).toEqual([segments.length]);
    const files = [...(await filesIn(vault))];
    expect(files.length).toBeGreaterThan(2);
    for (const [name, bytes] of files.slice(0, -1)) {
      const expected = await readFile(join(server.dataDir, name));
      expect(bytes.equals(expected), `${name}: ${bytes.length} bytes, the server has ${expected.length}`).toBe(true);
    }
  });
});
