import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { silentLogger } from "../../../lib/core/log.ts";
import type { JobMessage } from "../../../lib/jobs/message.ts";
import { runJob } from "../../../lib/jobs/run-job.ts";
import { parseRestorePoint } from "../../../lib/restore/choose.ts";
import { runDrill } from "../../../lib/restore/drill.ts";
import { listBackups, recoveryWindowsOf } from "../../../lib/restore/list.ts";
import { restoreSource } from "../../../lib/restore/restore-source.ts";
import type { Context } from "../../../lib/vault/context.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

/*
 * Four rounds of: a row, its instant, a full backup, log. Then a policy that promises only what came after the third full: the
 * first two and their log go, and each instant from there on still comes back.
 */

const ROUNDS = 4;

let source: TestMysql;
let target: TestMysql;
let workspace: Workspace;
const instants: string[] = [];
const fulls: string[] = [];

beforeAll(async () => {
  [source, target] = await Promise.all([startTestMysql(), startTestMysql()]);
  const schedule = { full: "0 0 3 * * *" };
  workspace = await makeWorkspace(
    { SHOP_URL: source.url },
    { databases: ["shop"], vaults: ["primary"], schedule, log: { segmentEvery: "1s" } },
  );
  const context = await workspace.open();
  await run(source, "CREATE DATABASE shop; CREATE TABLE shop.items (id INT PRIMARY KEY)");
  for (let round = 1; round <= ROUNDS; round++) {
    const { backup } = await job(context, "backup");
    fulls.push(String(backup));
    await run(source, `INSERT INTO shop.items VALUES (${round})`);
    instants.push(await ask(source, "SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ')"));
    await run(source, `INSERT INTO shop.items VALUES (${round + 100})`);
    await job(context, "ship");
  }
});
afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
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

async function job(context: Context, kind: "backup" | "ship" | "verify" | "retention") {
  const message: JobMessage = { v: 1, job: kind, source: "shop", requestedBy: "test" };
  const outcome = await runJob(message, { drill: runDrill }, context, { attempt: 1, logger: silentLogger });
  if (outcome.state === "covered") throw new Error("covered");
  if (outcome.failure) throw outcome.failure;
  return outcome.receipt.details.figures;
}

/** The policy, changed so that what is promised starts at that instant, and a clock that stands still for that. */
async function promiseSince(instant: string): Promise<Context> {
  const policy = JSON.parse(await readFile(workspace.policyPath, "utf8"));
  const now = new Date();
  const length = `${now.getTime() - Date.parse(instant)}ms`;
  policy.sources[0].retention = { full: length, log: length, minimumProven: 1 };
  await writeFile(workspace.policyPath, JSON.stringify(policy));
  return { ...(await workspace.open()), clock: () => now };
}

async function restoredAt(context: Context, instant: string): Promise<string> {
  const outcome = await restoreSource(context, {
    source: "shop",
    point: parseRestorePoint(instant),
    targetUrl: target.url,
    rename: new Map(),
    intoNonEmpty: false,
    users: false,
    connections: 2,
    scratch: false,
    logger: silentLogger,
    signal: new AbortController().signal,
  });
  expect(outcome.identical).toBe(true);
  const rows = await ask(target, "SELECT id FROM shop.items ORDER BY id");
  await run(target, "DROP DATABASE shop");
  return rows;
}

describe("retention of a real source", () => {
  it("leaves every promised instant restorable, and removes what came before", async () => {
    await job(await workspace.open(), "verify");
    // The third full stands before the third instant, and leads to it.
    const context = await promiseSince(instants[2] ?? "");
    const figures = await job(context, "retention");
    expect(figures).toMatchObject({ removedFulls: 2 });
    expect(Number(figures["removedSegments"])).toBeGreaterThan(0);
    expect((await listBackups(context)).map(({ id }) => id)).toEqual(fulls.slice(2));
    const [{ windows, gaps } = { windows: [], gaps: [] }] = await recoveryWindowsOf(context, "shop");
    expect({ windows: windows.length, gaps }).toEqual({ windows: 1, gaps: [] });
    // It knows what stood there before, and misses nothing of it.
    expect(await job(await workspace.open(), "verify")).toMatchObject({ failed: 0, notLooked: 0 });
    expect(await restoredAt(context, instants[2] ?? "")).toBe("1 2 3 101 102");
    expect(await restoredAt(context, instants[3] ?? "")).toBe("1 2 3 4 101 102 103");
    expect(await restoredAt(context, "latest")).toBe("1 2 3 4 101 102 103 104");
    await expect(restoredAt(context, instants[0] ?? "")).rejects.toMatchObject({ code: "TIME_OUTSIDE_WINDOW" });
  });

  it("tells on the command line what would go and why, and holds a backup until it is released", async () => {
    const backup = fulls[3] ?? "";
    const dryRun = await workspace.run(["retention", "--dry-run", "--json"]);
    expect(dryRun).toMatchObject({ exitCode: 0, stderr: "" });
    const [plan] = JSON.parse(dryRun.stdout).vaults;
    expect(plan).toMatchObject({ source: "shop", vault: "primary", savedPerMonth: null, notBefore: [] });
    expect(plan.kept.map(({ id }: { id: string }) => id)).toContain(backup);
    const held = await workspace.run(["hold", "shop", backup, "--reason", "an audit", "--legal-hold", "--json"]);
    // A directory has no legal holds: the hold stands, and what was asked besides does not.
    expect(held.exitCode).toBe(1);
    expect(JSON.parse(held.stdout)).toMatchObject({
      hold: { backup, action: "hold", until: null },
      vaults: [{ vault: "primary", state: "done" }],
      legalHolds: [{ vault: "primary", legalHold: false }],
    });
    expect((await workspace.run(["hold", "shop"])).stdout).toContain("an audit");
    const listed = JSON.parse((await workspace.run(["list", "shop", "--json"])).stdout).backups;
    expect(listed.find(({ id }: { id: string }) => id === backup)).toMatchObject({
      held: { reason: "an audit", until: null },
      immutableUntil: null,
      legalHold: false,
      tiers: null,
    });
    const released = await workspace.run(["hold", "shop", backup, "--release", "--reason", "it is over"]);
    expect(released).toMatchObject({ exitCode: 0, stderr: "" });
    expect((await workspace.run(["hold", "shop"])).stdout).toBe("nothing is held\n");
    expect(await workspace.run(["hold", "shop", backup])).toMatchObject({ exitCode: 2 });
  });
});
