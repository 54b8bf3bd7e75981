import { readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { silentLogger } from "../../../lib/core/log.ts";
import type { Alert } from "../../../lib/freshness/alert.ts";
import { readFreshness } from "../../../lib/freshness/read-freshness.ts";
import { watchSources } from "../../../lib/freshness/watch-sources.ts";
import { findDueJobs } from "../../../lib/jobs/find-due-jobs.ts";
import type { JobMessage } from "../../../lib/jobs/message.ts";
import { runJob } from "../../../lib/jobs/run-job.ts";
import { parseRestorePoint } from "../../../lib/restore/choose.ts";
import { restoreSource } from "../../../lib/restore/restore-source.ts";
import { type Context, openContext } from "../../../lib/vault/context.ts";
import { type HttpReceiver, startHttpReceiver } from "../../support/http-receiver.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { sha256Of } from "../../support/storage-data.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

/*
 * One history: offsite is away while a full backup is made and the log is shipped; it comes back and is brought up to the primary;
 * then the primary's storage is deleted, and offsite alone restores what was there.
 */

let source: TestMysql;
let target: TestMysql;
let receiver: HttpReceiver;
let workspace: Workspace;
let context: Context;
/** The same a little later, when nothing can be on its way any more. */
let later: Context;
let mark = "";

beforeAll(async () => {
  [source, target] = await Promise.all([startTestMysql(), startTestMysql()]);
  receiver = await startHttpReceiver();
  const env = { SHOP_URL: source.url, HOOK_URL: receiver.url, HOOK_SECRET: "s" };
  const webhook = { url: { env: "HOOK_URL" }, secret: { env: "HOOK_SECRET" } };
  workspace = await makeWorkspace(env, { databases: ["shop"] }, { alerts: { webhook } });
  context = await workspace.open();
  later = await openContext(workspace.env, { clock: () => new Date(Date.now() + 120_000) });
  await run(source, "CREATE DATABASE shop; CREATE TABLE shop.items (id INT PRIMARY KEY, v VARCHAR(40))");
});
afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
  await Promise.all([source.stop(), target.stop()]);
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

async function job(kind: "backup" | "ship" | "copy") {
  const message: JobMessage = { v: 1, job: kind, source: "shop", requestedBy: "test" };
  const other = { drill: () => () => Promise.reject(new Error("no drill here")) };
  const outcome = await runJob(message, other, context, { attempt: 1, logger: silentLogger });
  if (outcome.state === "covered") throw new Error("covered");
  if (outcome.failure) throw outcome.failure;
  return { figures: outcome.receipt.details.figures, followUps: outcome.followUps.map(({ job: next }) => next) };
}

/** What the webhook heard of offsite at this look. */
async function lookAtOffsite(): Promise<string[]> {
  const before = receiver.requests.length;
  await watchSources(later, silentLogger);
  const alerts = receiver.requests.slice(before).map(({ body }) => JSON.parse(body) as Alert);
  return alerts.filter(({ vault }) => vault === "offsite").map(({ event, reason }) => `${event} ${reason.code}`);
}

async function freshnessOf(vault: string) {
  const [only] = later.policy.sources;
  const found = only && (await readFreshness(later, only));
  return found?.vaults.find((one) => one.vault === vault);
}

/** The hashes of a vault's files by name, but for the public keys: each vault has its own records of them. */
async function contentsOf(vault: string): Promise<Record<string, string>> {
  const folder = join(workspace.folder, vault, "data");
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const contents: Record<string, string> = {};
  for (const entry of entries.filter((found) => found.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(folder.length + 1);
    if (!name.startsWith("keys/")) contents[name] = sha256Of(await readFile(path));
  }
  return contents;
}

const [there, away] = ["offsite", "away"].map((name) => () => join(workspace.folder, name)) as [
  () => string,
  () => string,
];

describe("two vaults", () => {
  it("hold the same after a backup and its log, and nobody is alarmed", async () => {
    await run(source, "INSERT INTO shop.items VALUES (1, 'in both')");
    await job("backup");
    await run(source, "INSERT INTO shop.items VALUES (2, 'in both logs')");
    expect(await job("ship")).toMatchObject({ figures: { behind: null }, followUps: [] });
    expect(await contentsOf("offsite")).toEqual(await contentsOf("primary"));
    expect(await lookAtOffsite()).toEqual([]);
  });

  it("do not wait for one that is away: the other's backup is done, and a copy is asked for", async () => {
    await rename(there(), away());
    await run(source, "INSERT INTO shop.items VALUES (3, 'while offsite was away')");
    expect(await job("backup")).toMatchObject({
      figures: { vaults: "primary", behind: "offsite" },
      followUps: ["copy"],
    });
    await run(source, "INSERT INTO shop.items VALUES (4, 'in the log of the primary')");
    expect(await job("ship")).toMatchObject({ figures: { behind: "offsite" }, followUps: ["copy"] });
    expect(await lookAtOffsite()).toEqual(["unknown VAULT_UNREADABLE"]);
    expect(await freshnessOf("primary")).toMatchObject({ state: "fresh" });
  });

  it("show one that came back as behind, with what it lacks, until a copy has made it equal byte for byte", async () => {
    await rename(away(), there());
    const behind = await freshnessOf("offsite");
    expect(behind).toMatchObject({ state: "late", reason: { code: "VAULT_BEHIND" } });
    expect(behind?.behind?.backups).toHaveLength(1);
    expect(behind?.behind?.segments).toBeGreaterThan(0);
    expect(await lookAtOffsite()).toEqual(["late VAULT_BEHIND"]);
    expect((await findDueJobs(later, ["copy"], silentLogger)).jobs).toMatchObject([{ job: "copy", source: "shop" }]);
    const { figures } = await job("copy");
    expect(figures).toMatchObject({ backups: 1, lost: 0, behind: null });
    expect(await contentsOf("offsite")).toEqual(await contentsOf("primary"));
    expect(await lookAtOffsite()).toEqual(["resolved WITHIN_RPO"]);
    expect((await findDueJobs(later, ["copy"], silentLogger)).jobs).toEqual([]);
  });
});

describe("resguardo copy", () => {
  it("tells an operator what it has copied, and that there is nothing left", async () => {
    const { stdout, exitCode } = await workspace.run(["copy"]);
    expect(stdout).toMatch(/^shop copied: 0 backups, 0 log segments, 0 records, 0 B in .*; receipt \d{8}T/);
    expect(exitCode).toBe(0);
    const { runs } = JSON.parse((await workspace.run(["copy", "shop", "--json"])).stdout) as { runs: object[] };
    expect(runs).toMatchObject([{ source: "shop", receipt: { state: "done", details: { figures: { bytes: 0 } } } }]);
  });
});

describe("the offsite vault alone", () => {
  beforeAll(async () => {
    await run(source, "INSERT INTO shop.items VALUES (5, 'before the mark')");
    mark = await ask(source, "SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ')");
    await run(source, "INSERT INTO shop.items VALUES (6, 'after the mark'); DELETE FROM shop.items WHERE id = 1");
    await job("ship");
    await rm(join(workspace.folder, "primary"), { recursive: true });
  });

  it.each([
    ["an instant", () => mark, "1 2 3 4 5"],
    ["its newest instant", () => "latest", "2 3 4 5 6"],
  ])("restores %s with the primary's storage deleted", async (_title, to, ids) => {
    // Nothing that was read from the primary before is known here.
    const fresh = await workspace.open();
    const outcome = await restoreSource(fresh, {
      source: "shop",
      point: parseRestorePoint(to()),
      targetUrl: target.url,
      rename: new Map(),
      intoNonEmpty: false,
      users: false,
      connections: 2,
      scratch: false,
      logger: silentLogger,
      signal: new AbortController().signal,
    });
    expect(outcome).toMatchObject({ vault: "offsite", identical: true, rowsLost: 0 });
    expect(outcome.replayed?.transactions).toBeGreaterThan(0);
    expect(await ask(target, "SELECT id FROM shop.items ORDER BY id")).toBe(ids);
    await run(target, "DROP DATABASE shop");
  });

  it("restores the backup that it got as a copy, by its id", async () => {
    const listed = await workspace.run(["list", "shop", "--json"]);
    const { backups } = JSON.parse(listed.stdout) as { backups: { vault: string; id: string; error?: unknown }[] };
    const copied = backups.filter(({ vault, error }) => vault === "offsite" && !error).at(-1);
    const { exitCode, stderr } = await workspace.run(
      ["restore", "shop", "--target", "env:TARGET_URL", "--backup", copied?.id ?? "", "--vault", "offsite"],
      { TARGET_URL: target.url },
    );
    expect(stderr.split("\n").filter((line) => line.startsWith("resguardo:"))).toEqual([]);
    expect(exitCode).toBe(0);
    expect(await ask(target, "SELECT id FROM shop.items ORDER BY id")).toBe("1 2 3");
    await run(target, "DROP DATABASE shop");
  });
});
