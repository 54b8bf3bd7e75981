import { readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { silentLogger } from "../../../lib/core/log.ts";
import { runJob } from "../../../lib/jobs/run-job.ts";
import type { JobMessage } from "../../../lib/jobs/message.ts";
import { logPositionOf } from "../../../lib/sources/mysql/binlog/log-stream.ts";
import { heldAfter } from "../../../lib/sources/mysql/binlog/log-position.ts";
import { GtidSet } from "../../../lib/sources/mysql/gtid-set.ts";
import { type Context, vaultsOf } from "../../../lib/vault/context.ts";
import { readSegment } from "../../../lib/vault/segment-head.ts";
import { logPlace } from "../../../lib/vault/names.ts";
import { listSegments } from "../../../lib/vault/segment-index.ts";
import { logChains } from "../../../lib/vault/segment-chain.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { readFreshness } from "../../../lib/freshness/read-freshness.ts";
import { recoveryWindowsOf } from "../../../lib/restore/list.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

let server: TestMysql;
let workspace: Workspace;
let context: Context;

beforeAll(async () => {
  server = await startTestMysql();
  await run("CREATE DATABASE shop; CREATE TABLE shop.items (id INT PRIMARY KEY AUTO_INCREMENT, v LONGBLOB)");
  const log = { segmentEvery: "1s", heartbeatTable: true };
  workspace = await makeWorkspace({ SHOP_URL: server.url }, { databases: ["shop"], log });
  context = await workspace.open();
});
afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
  await server.stop();
});

async function run(sql: string): Promise<void> {
  await using connection = await connectTo(server);
  await connection.query(sql);
}

async function executed(): Promise<GtidSet> {
  await using connection = await connectTo(server);
  const [rows] = await connection.query("SELECT @@gtid_executed AS gtids");
  return GtidSet.parse(String((rows as { gtids: string }[])[0]?.gtids));
}

async function job(message: Partial<JobMessage> & Pick<JobMessage, "job">) {
  const other = { drill: () => () => Promise.reject(new Error("no drill here")) };
  const whole = { v: 1, source: "shop", requestedBy: "test", ...message } as JobMessage;
  const outcome = await runJob(whole, other, context, { attempt: 1, logger: silentLogger });
  if (outcome.state === "covered") throw new Error("covered");
  if (outcome.failure) throw outcome.failure;
  return outcome;
}

/** Each vault's log: chains, and the transactions up to its end. */
async function logs() {
  const trusted = await context.trustedKeys();
  const [source] = context.policy.sources;
  if (source === undefined) throw new Error("no source");
  return Promise.all(
    vaultsOf(context, source).map(async (vault) => {
      const query = { vault, source: source.name, trusted };
      const { entries, damaged } = await listSegments(query);
      const last = entries.at(-1);
      const segment = last && (await readSegment(query, last));
      const held = segment?.state === "valid" ? heldAfter(logPositionOf(segment)).toString() : "";
      return { vault: vault.name, chains: logChains(entries), held, damaged, segments: entries.length };
    }),
  );
}

describe("the job that ships", () => {
  it("starts at the full backup, and brings both vaults up to the source", async () => {
    await run("INSERT INTO shop.items (v) VALUES ('before')");
    await job({ job: "backup" });
    await run("INSERT INTO shop.items (v) VALUES ('after')");
    const { receipt, followUps } = await job({ job: "ship" });
    // The row, and the heartbeat's database, table and row.
    expect(receipt.details.figures).toMatchObject({ transactions: 4, gaps: null, behind: null, resumedBy: "gtid" });
    expect(followUps).toEqual([]);
    const [primary, offsite] = await logs();
    const expected = (await executed()).toString();
    expect([primary?.held, offsite?.held]).toEqual([expected, expected]);
    expect(primary?.chains.map(({ start }) => start.reason)).toEqual(["first"]);
  });

  it("leaves an index behind, so that whoever plans a restore reads no segment for it", async () => {
    await job({ job: "ship" });
    const trusted = await context.trustedKeys();
    for (const vault of context.vaults.values()) {
      const read = (name: string): never => {
        throw new Error(`${name} was read`);
      };
      const unread = { ...vault, storage: { ...vault.storage, data: { ...vault.storage.data, read } } };
      const { entries } = await listSegments({ vault: unread, source: "shop", trusted });
      const blobs = await Array.fromAsync(vault.storage.data.list(logPlace("shop").prefix));
      expect(entries).toHaveLength(blobs.length);
      expect(entries.length).toBeGreaterThan(0);
    }
  });

  it("leaves the time of the source in the heartbeat table", async () => {
    await job({ job: "ship" });
    await using connection = await connectTo(server);
    const [rows] = await connection.query(
      "SELECT TIMESTAMPDIFF(SECOND, beat_at, UTC_TIMESTAMP(6)) AS age FROM resguardo.heartbeat WHERE source = 'shop'",
    );
    expect((rows as { age: number }[])[0]?.age).toBeLessThan(30);
  });

  it("goes on while a vault is away, and copies to it what it lacks once it is back", async () => {
    const [away, back] = [join(workspace.folder, "away"), join(workspace.folder, "offsite")];
    await rename(back, away);
    await run("INSERT INTO shop.items (v) VALUES ('while offsite was away')");
    const { receipt } = await job({ job: "ship" });
    expect(receipt.details.figures["behind"]).toBe("offsite");
    await rename(away, back);
    await job({ job: "ship" });
    const [primary, offsite] = await logs();
    expect(offsite?.segments).toBe(primary?.segments);
    expect(offsite?.held).toBe((await executed()).toString());
  });

  it("makes a source as fresh as its log, in one window from the full backup on", async () => {
    await run("INSERT INTO shop.items (v) VALUES ('newer')");
    const before = new Date().toISOString();
    await job({ job: "ship" });
    const windows = await recoveryWindowsOf(context, "shop");
    for (const { windows: found, gaps } of windows) {
      expect(gaps).toEqual([]);
      expect(found.map(({ backups }) => backups.length)).toEqual([1]);
      expect((found[0]?.until ?? "") > before).toBe(true);
    }
    const [source] = context.policy.sources;
    const freshness = source && (await readFreshness(context, source));
    expect(freshness?.vaults.map(({ restorableUntil }) => (restorableUntil ?? "") > before)).toEqual([true, true]);
  });

  it("gives the log back as the server's own files", async () => {
    await run("FLUSH BINARY LOGS");
    await job({ job: "ship" });
    const folder = join(workspace.folder, "export");
    const { exitCode, stdout } = await workspace.run(["export", "shop", "--binlog", folder, "--json"]);
    expect(exitCode).toBe(0);
    const { files } = JSON.parse(stdout) as { files: { name: string; isWhole: boolean }[] };
    // The log starts at the full backup, in the middle of the first file or at its end.
    expect(files.length).toBe(2);
    const [file] = files;
    const exported = await readFile(join(folder, file?.name ?? ""));
    const original = await readFile(join(server.dataDir, file?.name.split(".").slice(1).join(".") ?? ""));
    expect(exported.subarray(-500).equals(original.subarray(-500))).toBe(true);
    expect(files[1]?.isWhole).toBe(true);
  });

  it("asks for a full backup after a gap", async () => {
    await run(
      "INSERT INTO shop.items (v) VALUES ('lost'); FLUSH BINARY LOGS; INSERT INTO shop.items (v) VALUES ('kept')",
    );
    await using connection = await connectTo(server);
    const [rows] = await connection.query("SHOW BINARY LOG STATUS");
    await connection.query(`PURGE BINARY LOGS TO '${(rows as { File: string }[])[0]?.File}'`);
    const { receipt, followUps } = await job({ job: "ship" });
    expect(followUps).toMatchObject([{ job: "backup", source: "shop" }]);
    expect(receipt.details.figures["gaps"]).toContain("purged");
    const [primary] = await logs();
    expect(primary?.chains.map(({ start }) => start.reason)).toEqual(["first", "purged"]);
    const [source] = context.policy.sources;
    const freshness = source && (await readFreshness(context, source));
    expect(freshness?.vaults.map(({ reason }) => reason.code)).toEqual(["LOG_GAP", "LOG_GAP"]);
    await job({ job: "backup" });
    await job({ job: "ship" });
    const windows = await recoveryWindowsOf(context, "shop");
    expect(windows.map(({ windows: found }) => found.length)).toEqual([2, 2]);
    expect(windows.map(({ gaps }) => gaps.map(({ reason }) => reason))).toEqual([["purged"], ["purged"]]);
  });

  it("runs once at a time: a second one waits for the first to end", async () => {
    const started = performance.now();
    const first = job({ job: "ship", forSeconds: 3 });
    await run("INSERT INTO shop.items (v) VALUES ('x')");
    const second = await job({ job: "ship" });
    await first;
    expect(performance.now() - started).toBeGreaterThan(3000);
    expect(second.receipt.details.figures).toMatchObject({ gaps: null });
    const [primary] = await logs();
    expect(primary?.chains.length).toBe(2);
    expect(primary?.held).toBe((await executed()).toString());
  });
});
