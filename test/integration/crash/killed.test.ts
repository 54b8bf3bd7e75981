import { once } from "node:events";
import { createConnection } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeShop } from "../../../local/demo/shop.ts";
import { verifySources } from "../../../lib/jobs/verify-sources.ts";
import { listBackups } from "../../../lib/restore/list.ts";
import { listRunRecords } from "../../../lib/vault/run-record.ts";
import { expireLeases } from "../../support/leases.ts";
import { startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { seededRandom } from "../../support/random.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

const SEED = 20261121;
const ROUNDS = 12;

let source: TestMysql;
let target: TestMysql;
let workspace: Workspace;

beforeAll(async () => {
  [source, target] = await Promise.all([startTestMysql(), startTestMysql()]);
  await makeShop(source.url);
  workspace = await makeWorkspace({ SHOP_URL: source.url, TARGET_URL: target.url }, { databases: ["shop"] });
});

afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
  await Promise.all([source.stop(), target.stop()]);
});

/** Starts a command and kills it after a while, unless it ended before. Returns whether it was killed. */
async function killAfter(args: readonly string[], delayMs: number): Promise<boolean> {
  const child = workspace.start(args);
  const ended = once(child, "close");
  const timer = setTimeout(() => child.kill("SIGKILL"), delayMs);
  await ended;
  clearTimeout(timer);
  return child.signalCode === "SIGKILL";
}

/** How long the command takes when nobody kills it. */
async function timeOf(args: readonly string[]): Promise<number> {
  const started = performance.now();
  const { exitCode, stderr } = await workspace.run(args);
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return performance.now() - started;
}

/** Everything that the catalogue shows is true: each listed backup is whole, byte for byte. */
async function expectNoLie(): Promise<number> {
  const context = await workspace.open();
  const listed = await listBackups(context);
  expect(listed.filter(({ error }) => error)).toEqual([]);
  const report = await verifySources(context, { deep: true });
  expect(report).toMatchObject({ failed: 0, notLooked: 0, problems: [], unreadable: [] });
  return listed.length;
}

describe("a process killed at any point", () => {
  it(`of a backup leaves the old state or the new one, and the next run goes on (seed ${SEED})`, async () => {
    const random = seededRandom(SEED);
    const wholeMs = await timeOf(["backup", "shop"]);
    let killed = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const before = await expectNoLie();
      await expireLeases(workspace);
      if (await killAfter(["backup", "shop"], random() * wholeMs)) killed++;
      expect(await expectNoLie()).toBeGreaterThanOrEqual(before);
    }
    expect(killed).toBeGreaterThan(ROUNDS / 2);
    await expireLeases(workspace);
    await timeOf(["backup", "shop"]);
    expect(await countInterrupted()).toBeGreaterThan(0);
  });

  it(`of a restore is continued by the same command to the same rows (seed ${SEED})`, async () => {
    const random = seededRandom(SEED + 1);
    const args = ["restore", "shop", "--target", "env:TARGET_URL"];
    const wholeMs = await timeOf(args);
    for (let round = 0; round < ROUNDS; round++) {
      await dropShop();
      const wasKilled = await killAfter(args, random() * wholeMs);
      if (!wasKilled) continue;
      const again = await workspace.run([...args, "--json"]);
      expect(again.stderr).toBe("");
      expect(JSON.parse(again.stdout)).toMatchObject({ identical: true });
    }
  });
});

/** Receipts of runs whose worker died, closed by the run that came after. */
async function countInterrupted(): Promise<number> {
  const context = await workspace.open();
  const vault = context.vaults.get("primary");
  if (!vault) throw new Error("the workspace has no vault called primary");
  const runs = await listRunRecords({ vault, source: "shop", trusted: await context.trustedKeys() });
  return runs.filter((run) => run.state === "valid" && run.content.state === "interrupted").length;
}

async function dropShop(): Promise<void> {
  const connection = await createConnection(target.url);
  await connection.query("DROP DATABASE IF EXISTS shop");
  await connection.end();
}
