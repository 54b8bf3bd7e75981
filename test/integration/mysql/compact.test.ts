import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { silentLogger } from "../../../lib/core/log.ts";
import { noProgress } from "../../../lib/core/progress.ts";
import type { JobMessage } from "../../../lib/jobs/message.ts";
import { removeMergedOriginals } from "../../../lib/jobs/remove-superseded.ts";
import { runJob } from "../../../lib/jobs/run-job.ts";
import { parseRestorePoint } from "../../../lib/restore/choose.ts";
import { exportLog } from "../../../lib/restore/export-log.ts";
import { recoveryWindowsOf } from "../../../lib/restore/list.ts";
import { restoreSource } from "../../../lib/restore/restore-source.ts";
import { type Context, openContext, vaultsOf } from "../../../lib/vault/context.ts";
import { listSegmentBlobs } from "../../../lib/vault/segment-blobs.ts";
import { readLogContents } from "../../../lib/vault/segment-index.ts";
import { startTestAzurite, type TestAzurite } from "../../support/azurite.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

/*
 * One history over three hours of thirty hours ago, by the clock of whoever ships, and one segment of now: each round inserts a
 * row and ships. So the log has hours that are merged and the last one that is not.
 */

const MINUTE_MS = 60_000;
const ROUNDS_AGO = [30 * 60, 30 * 60 - 10, 30 * 60 - 20, 28 * 60, 28 * 60 - 10, 28 * 60 - 20, 0];

let source: TestMysql;
let target: TestMysql;
let azurite: TestAzurite;
let workspace: Workspace;
let context: Context;
/** The time after each round's row, by the server. */
const marks: string[] = [];

beforeAll(async () => {
  [source, target, azurite] = await Promise.all([startTestMysql(), startTestMysql(), startTestAzurite()]);
  const schedule = { full: "0 0 3 * * *", ship: "0 * * * * *", verify: "0 30 * * * *" };
  const env = { SHOP_URL: source.url, TARGET_URL: target.url, OFFSITE: azurite.connectionString };
  const offsite = { kind: "azure-blob", connectionString: { env: "OFFSITE" }, container: "resguardo" };
  const policy = { vaults: { primary: { kind: "directory", path: "primary" }, offsite } };
  workspace = await makeWorkspace(env, { databases: ["shop"], schedule, log: { segmentEvery: "1s" } }, policy);
  context = await workspace.open();
  await run(source, "CREATE DATABASE shop; CREATE TABLE shop.items (id INT PRIMARY KEY, v VARCHAR(40))");
  const hour = Math.floor(Date.now() / 3_600_000) * 3_600_000;
  for (const [round, minutesAgo] of ROUNDS_AGO.entries()) {
    const offsetMs = minutesAgo === 0 ? 0 : Date.now() - (hour - minutesAgo * MINUTE_MS);
    const then = await openContext(workspace.env, { clock: () => new Date(Date.now() - offsetMs) });
    if (round === 0) await job({ job: "backup" }, then);
    await run(source, `INSERT INTO shop.items VALUES (${round}, 'round ${round}')`);
    marks.push(await ask(source, "SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ')"));
    await job({ job: "ship" }, then);
  }
}, 300_000);
afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
  await Promise.all([source.stop(), target.stop(), azurite[Symbol.asyncDispose]()]);
});

async function run(server: TestMysql, sql: string): Promise<void> {
  await using connection = await connectTo(server);
  await connection.query(sql);
}

async function ask(server: TestMysql, sql: string): Promise<string> {
  await using connection = await connectTo(server);
  const [rows] = await connection.query({ sql, rowsAsArray: true });
  return (rows as unknown[][]).map(([value]) => String(value)).join(" ");
}

async function job(message: Partial<JobMessage> & Pick<JobMessage, "job">, inContext = context) {
  const other = { drill: () => () => Promise.reject(new Error("no drill here")) };
  const whole = { v: 1, source: "shop", requestedBy: "test", ...message } as JobMessage;
  const outcome = await runJob(whole, other, inContext, { attempt: 1, logger: silentLogger });
  if (outcome.state === "covered") throw new Error("covered");
  if (outcome.failure) throw outcome.failure;
  return outcome.receipt.details.figures;
}

function vaults() {
  const [shop] = context.policy.sources;
  if (shop === undefined) throw new Error("no source");
  return { shop, vaults: vaultsOf(context, shop) };
}

/** Names of the log's blobs in each vault. */
async function blobs(): Promise<string[][]> {
  return Promise.all(
    vaults().vaults.map((vault) => Array.fromAsync(listSegmentBlobs({ vault, source: "shop" }), ({ name }) => name)),
  );
}

const isMerged = (name: string) => name.includes(".");

async function exported(vault: string): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), "resguardo-export-"));
  try {
    await exportLog(context, { source: "shop", folder, vault });
    const names = (await readdir(folder)).toSorted();
    const contents = await Promise.all(names.map((name) => readFile(join(folder, name), "base64")));
    return Object.fromEntries(names.map((name, index) => [name, contents[index] ?? ""]));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function restored(mark: string): Promise<string> {
  const outcome = await restoreSource(context, {
    source: "shop",
    point: parseRestorePoint(mark),
    targetUrl: target.url,
    rename: new Map(),
    intoNonEmpty: false,
    users: false,
    connections: 2,
    scratch: false,
    logger: silentLogger,
    signal: new AbortController().signal,
  });
  expect(outcome).toMatchObject({ identical: true, rowsLost: 0 });
  const ids = await ask(target, "SELECT id FROM shop.items ORDER BY id");
  await run(target, "DROP DATABASE shop");
  return ids;
}

const windows = async () => (await recoveryWindowsOf(context, "shop")).map(({ windows: found, gaps }) => [found, gaps]);

describe("the job that compacts", () => {
  it("makes one blob of each hour in both vaults, and every instant and the exported binlog stay the same", async () => {
    const before = { windows: await windows(), log: await exported("primary"), blobs: await blobs() };
    expect(before.blobs[0]?.length).toBeGreaterThanOrEqual(ROUNDS_AGO.length);
    const figures = await job({ job: "compact" });
    expect(figures).toMatchObject({ blobs: 4, damaged: 0, behind: null });
    const after = await blobs();
    expect(after[0]).toEqual(after[1]);
    expect(after[0]?.filter(isMerged)).toHaveLength(2);
    expect(await windows()).toEqual(before.windows);
    expect(await exported("offsite")).toEqual(before.log);
    expect(await restored(marks[1] ?? "")).toBe("0 1");
    expect(await job({ job: "compact" })).toMatchObject({ blobs: 0 });
  });

  it("leaves the segments' own blobs to retention, which removes them once a verification has proven the merged ones", async () => {
    const before = { windows: await windows(), log: await exported("primary"), blobs: await blobs() };
    const { shop, vaults: all } = vaults();
    const signal = new AbortController().signal;
    const work = { context, source: shop, runId: "", logger: silentLogger, progress: noProgress, signal };
    for (const vault of all) {
      const nothing = { segments: 0, bytes: 0, waiting: 2, notBefore: 0, problems: [] };
      expect(await removeMergedOriginals(work, vault)).toEqual(nothing);
    }
    expect(await job({ job: "verify" })).toMatchObject({ failed: 0, notLooked: 0 });
    const removed = await job({ job: "retention" });
    expect(removed).toMatchObject({ mergedWaiting: 0, removedSegments: 0, removedFulls: 0 });
    expect(removed["mergedSegments"]).toBe(2 * (await mergedSegments()));
    const after = await blobs();
    expect(after[0]?.length).toBe((before.blobs[0]?.length ?? 0) - (await mergedSegments()));
    expect(await windows()).toEqual(before.windows);
    expect(await exported("primary")).toEqual(before.log);
    expect(await exported("offsite")).toEqual(before.log);
    expect(await job({ job: "verify" })).toMatchObject({ failed: 0, notLooked: 0 });
    expect(await job({ job: "copy" })).toMatchObject({ blobs: 0, segments: 0, lost: 0, behind: null });
  });

  it("lets a restore go to an instant across merged and unmerged log, from either vault alone", async () => {
    expect(await restored(marks[4] ?? "")).toBe("0 1 2 3 4");
    expect(await restored(marks.at(-1) ?? "")).toBe("0 1 2 3 4 5 6");
    await rm(join(workspace.folder, "primary", "data"), { recursive: true });
    expect(await restored(marks.at(-2) ?? "")).toBe("0 1 2 3 4 5");
  });
});

/** How many segments lie in merged blobs alone. */
async function mergedSegments(): Promise<number> {
  const [vault] = vaults().vaults;
  if (vault === undefined) throw new Error("no vault");
  const { merged } = await readLogContents({ vault, source: "shop", trusted: await context.trustedKeys() });
  return merged.reduce((sum, blob) => sum + (blob.state === "valid" ? blob.parts.length : 0), 0);
}
