import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { heldAfter, logPositionSchema } from "../../../lib/sources/mysql/binlog/log-position.ts";
import { isTransactionHead, readTransactionHead } from "../../../lib/sources/mysql/binlog/gtid-event.ts";
import { readLog } from "../../../lib/sources/mysql/binlog/log-stream.ts";
import { openConnection } from "../../../lib/sources/mysql/connection.ts";
import { formatGtid, GtidSet, parseGtid } from "../../../lib/sources/mysql/gtid-set.ts";
import { readLogIdentity, readLogPosition } from "../../../lib/sources/mysql/read-position.ts";
import { parseMysqlUrl } from "../../../lib/sources/mysql/url.ts";
import { readSegmentsAfter } from "../../../lib/sources/log-plan.ts";
import type { ValidSegment } from "../../../lib/vault/segment-head.ts";
import { chainEnd, logChains } from "../../../lib/vault/segment-chain.ts";
import { listSegments } from "../../../lib/vault/segment-index.ts";
import type { Vault } from "../../../lib/vault/vault.ts";
import { filesIn, logQuery, logReader, segmentsOf, shipInto } from "../../support/log-fixture.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import { memoryVault } from "../../support/vault-fixture.ts";

let server: TestMysql;

beforeAll(async () => {
  server = await startTestMysql();
  await run("CREATE DATABASE shop; CREATE TABLE shop.items (id INT PRIMARY KEY AUTO_INCREMENT, v LONGBLOB)");
});
afterAll(async () => {
  await server.stop();
});

async function run(sql: string, on: TestMysql = server): Promise<void> {
  await using connection = await connectTo(on);
  await connection.query(sql);
}

async function executed(on: TestMysql = server): Promise<GtidSet> {
  await using connection = await connectTo(on);
  const [rows] = await connection.query("SELECT @@gtid_executed AS gtids");
  return GtidSet.parse(String((rows as { gtids: string }[])[0]?.gtids));
}

async function heldBy(vault: Vault): Promise<GtidSet> {
  const last = (await segmentsOf(vault)).at(-1);
  return last ? heldAfter(logPositionSchema.parse(last.content.position)) : GtidSet.empty;
}

/** Every transaction of these segments, in order. */
async function gtidsIn(vault: Vault, segments: ValidSegment[]): Promise<string[]> {
  const found: string[] = [];
  const read = (segment: ValidSegment) => logReader(vault).read(segment);
  for await (const { events } of readLog(segments, read)) {
    for (const event of events) {
      const gtid = isTransactionHead(event.type) ? readTransactionHead(event).gtid : undefined;
      if (gtid !== undefined) found.push(formatGtid(gtid));
    }
  }
  return found;
}

/** The files of the server that it closed, and their bytes in the vault. */
async function expectSameFiles(vault: Vault, on: TestMysql = server): Promise<void> {
  const files = [...(await filesIn(vault))];
  expect(files.length).toBeGreaterThan(1);
  for (const [name, bytes] of files.slice(0, -1)) {
    const expected = await readFile(join(on.dataDir, name));
    expect(bytes.equals(expected), `${name}: ${bytes.length} bytes, the server has ${expected.length}`).toBe(true);
  }
}

/** What a full backup that is made now would hold. */
async function positionNow() {
  await using control = await openConnection(parseMysqlUrl(server.url));
  return { ...(await readLogPosition(control)), ...(await readLogIdentity(control)) };
}

describe("shipping a real server's log", () => {
  const vault = memoryVault();

  it("starts with what the server has, and goes on from what is in the vault", async () => {
    await run("INSERT INTO shop.items (v) VALUES ('a'); FLUSH BINARY LOGS");
    const first = await shipInto(vault, server.url);
    await run("INSERT INTO shop.items (v) VALUES ('b'), ('c')");
    const second = await shipInto(vault, server.url);
    expect([first.gaps, second.gaps, second.transactions]).toEqual([[], [], 1]);
    expect((await heldBy(vault)).toString()).toBe((await executed()).toString());
    const chains = logChains((await listSegments(logQuery(vault))).entries);
    expect(chains.map(({ segments }) => segments.length)).toEqual([2]);
    expect(chains.map(({ start }) => start.reason)).toEqual(["first"]);
  });

  it("says that it caught up where nothing happened, without data", async () => {
    const before = new Date().toISOString();
    const report = await shipInto(vault, server.url);
    expect(report).toMatchObject({ segments: 1, transactions: 0, plainBytes: 0 });
    expect(report.caughtUpAt > before).toBe(true);
    const [chain] = logChains((await listSegments(logQuery(vault))).entries);
    expect(chain && chainEnd(chain)).toBe(report.caughtUpAt);
  });

  it("tails the active file, rotations too, and closes a segment every interval", async () => {
    const until = new Date(Date.now() + 4000);
    const shipping = shipInto(vault, server.url, { until });
    for (let index = 0; Date.now() < until.getTime(); index++) {
      await run(`INSERT INTO shop.items (v) VALUES (REPEAT('x', 1000))`);
      if (index % 100 === 50) await run("FLUSH BINARY LOGS");
    }
    const report = await shipping;
    expect(report.segments).toBeGreaterThan(3);
    await run("FLUSH BINARY LOGS");
    await shipInto(vault, server.url);
    expect((await heldBy(vault)).equals(await executed())).toBe(true);
    await expectSameFiles(vault);
  });

  it("ships compressed and tagged transactions, statements, XA and large rows", async () => {
    await run(`USE shop; SET SESSION binlog_transaction_compression = ON; INSERT INTO items (v) VALUES (REPEAT('y', 5000000));
      SET SESSION binlog_transaction_compression = OFF, gtid_next = 'AUTOMATIC:tag'; INSERT INTO items (v) VALUES ('t');
      SET gtid_next = 'AUTOMATIC', binlog_format = 'STATEMENT', @v = 'u'; INSERT INTO items (v) VALUES (@v);
      SET binlog_format = 'ROW'; XA START 'x'; INSERT INTO items (v) VALUES ('xa'); XA END 'x'; XA PREPARE 'x'; XA COMMIT 'x';
      INSERT INTO items (v) VALUES (REPEAT('z', 20000000)); FLUSH BINARY LOGS; INSERT INTO items (v) VALUES ('end')`);
    await shipInto(vault, server.url);
    expect((await heldBy(vault)).equals(await executed())).toBe(true);
    await expectSameFiles(vault);
  });

  it("goes on through connections that are cut and stalled", async () => {
    await using proxy = await startTcpProxy(server.port);
    const url = new URL(server.url);
    url.port = String(proxy.port);
    const until = new Date(Date.now() + 6000);
    const shipping = shipInto(vault, url.href, { until });
    let cuts = 0;
    for (let index = 0; Date.now() < until.getTime(); index++) {
      await run(`INSERT INTO shop.items (v) VALUES (REPEAT('x', 200000))`);
      if (index % 40 === 20) {
        proxy.cut();
        cuts++;
      }
    }
    const report = await shipping;
    expect(cuts).toBeGreaterThan(1);
    expect(report.reconnects).toBeGreaterThan(0);
    await run("FLUSH BINARY LOGS");
    await shipInto(vault, server.url);
    expect((await heldBy(vault)).equals(await executed())).toBe(true);
    await expectSameFiles(vault);
  });

  it("reads back what came after a position, each transaction once, from whole segments only", async () => {
    const position = await positionNow();
    await run("INSERT INTO shop.items (v) VALUES ('later'); INSERT INTO shop.items (v) VALUES (REPEAT('l', 3000000))");
    await shipInto(vault, server.url);
    const [chain] = logChains((await listSegments(logQuery(vault))).entries);
    if (chain === undefined) throw new Error("no chain");
    const after = await readSegmentsAfter(logQuery(vault), { kind: "mysql", chain, full: position });
    const ofAll = await gtidsIn(vault, await segmentsOf(vault));
    const found = await gtidsIn(vault, after);
    expect(after.length).toBeLessThan(5);
    expect(ofAll.length).toBe(new Set(ofAll).size);
    expect(BigInt(ofAll.length)).toBe((await executed()).size);
    const missing = (await executed()).minus(GtidSet.parse(position.gtidSet));
    expect(missing.size).toBe(2n);
    expect(found.filter((gtid) => missing.contains(parseGtid(gtid)))).toHaveLength(2);
  });

  it("cuts a transaction that is larger than a segment, with bounded segments, and reads it back from its start", async () => {
    const position = await positionNow();
    await run(`SET SESSION binlog_row_value_options = ''; INSERT INTO shop.items (v) SELECT REPEAT('w', 4000000) FROM
      (SELECT 1 FROM information_schema.columns LIMIT 40) AS n; FLUSH BINARY LOGS`);
    await shipInto(vault, server.url);
    const segments = await segmentsOf(vault);
    expect(Math.max(...segments.map(({ content }) => content.data.plainBytes))).toBeLessThan(70 * 1024 * 1024);
    expect(segments.filter(({ content }) => !content.isComplete).length).toBeGreaterThan(1);
    const [chain] = logChains((await listSegments(logQuery(vault))).entries);
    if (chain === undefined) throw new Error("no chain");
    const after = await readSegmentsAfter(logQuery(vault), { kind: "mysql", chain, full: position });
    const missing = (await executed()).minus(GtidSet.parse(position.gtidSet));
    expect(missing.size).toBe(1n);
    expect(await gtidsIn(vault, after)).toContain(missing.toString());
    expect((await heldBy(vault)).equals(await executed())).toBe(true);
    await expectSameFiles(vault);
  });
});

describe("a log that can't be continued", () => {
  it("starts a new chain after a purge, and names what is missing", async () => {
    const vault = memoryVault();
    await shipInto(vault, server.url);
    await run(
      "INSERT INTO shop.items (v) VALUES ('lost'); FLUSH BINARY LOGS; INSERT INTO shop.items (v) VALUES ('kept')",
    );
    await using connection = await connectTo(server);
    const [rows] = await connection.query("SHOW BINARY LOG STATUS");
    await connection.query(`PURGE BINARY LOGS TO '${(rows as { File: string }[])[0]?.File}'`);
    const report = await shipInto(vault, server.url);
    expect(report.gaps).toMatchObject([{ reason: "purged" }]);
    const chains = logChains((await listSegments(logQuery(vault))).entries);
    expect(chains.map(({ start }) => start.reason)).toEqual(["first", "purged"]);
    expect((await heldBy(vault)).equals(await executed())).toBe(true);
  });

  it("starts a new chain after RESET BINARY LOGS AND GTIDS", async () => {
    const vault = memoryVault();
    await shipInto(vault, server.url);
    await run("RESET BINARY LOGS AND GTIDS; INSERT INTO shop.items (v) VALUES ('new')");
    const report = await shipInto(vault, server.url);
    expect(report.gaps).toMatchObject([{ reason: "reset" }]);
    expect((await heldBy(vault)).equals(await executed())).toBe(true);
  });
});
