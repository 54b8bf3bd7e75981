import { createHash } from "node:crypto";
import { once } from "node:events";
import { createConnection, type RowDataPacket } from "mysql2/promise";
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
const KILLS = 10;
/** A command can be faster than when it was timed, and end before its kill; then the next ones come sooner. */
const MOST_ROUNDS = 50;

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

/** Starts a command and kills it after a while. Returns the time that it took where it ended before. */
async function killAfter(args: readonly string[], delayMs: number): Promise<number | "killed"> {
  const started = performance.now();
  const child = workspace.start(args);
  const ended = once(child, "close");
  const timer = setTimeout(() => child.kill("SIGKILL"), delayMs);
  await ended;
  clearTimeout(timer);
  return child.signalCode === "SIGKILL" ? "killed" : performance.now() - started;
}

/** Kills the command at random instants until enough of them met it alive. */
async function killOften(
  args: readonly string[],
  { seed, before, after }: { seed: number; before: () => Promise<void>; after: () => Promise<void> },
): Promise<void> {
  const random = seededRandom(seed);
  let wholeMs = await timeOf(args);
  let killed = 0;
  for (let round = 0; killed < KILLS; round++) {
    expect(round).toBeLessThan(MOST_ROUNDS);
    await before();
    const end = await killAfter(args, random() * wholeMs);
    if (end === "killed") {
      killed++;
      await after();
    } else wholeMs = Math.min(wholeMs, end);
  }
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
    let listed = 0;
    await killOften(["backup", "shop"], {
      seed: SEED,
      before: async () => {
        listed = await expectNoLie();
        await expireLeases(workspace);
      },
      after: async () => expect(await expectNoLie()).toBeGreaterThanOrEqual(listed),
    });
    await expireLeases(workspace);
    await timeOf(["backup", "shop"]);
    expect(await countInterrupted()).toBeGreaterThan(0);
  });

  it(`of a restore is continued by the same command to the same rows (seed ${SEED})`, async () => {
    const args = ["restore", "shop", "--target", "env:TARGET_URL"];
    await killOften(args, {
      seed: SEED + 1,
      before: dropShop,
      after: async () => {
        const { stdout } = await workspace.run([...args, "--json"]);
        // Killed after its last step, a restore has nothing left to do, and what it made is in the way of another one.
        expect(endOf(stdout)).toMatch(/^(identical|TARGET_NOT_EMPTY)$/);
        expect(await rowHashes(target)).toEqual(await rowHashes(source));
      },
    });
  });
});

/** A hash of all rows of each table of the shop, whatever their order. */
async function rowHashes(server: TestMysql): Promise<Record<string, string>> {
  const connection = await createConnection({ uri: server.url, dateStrings: true });
  const [tables] = await connection.query<RowDataPacket[]>(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'shop' AND table_type = 'BASE TABLE' ORDER BY 1",
  );
  const hashes: Record<string, string> = {};
  for (const { name } of tables) {
    const [rows] = await connection.query<RowDataPacket[]>("SELECT * FROM shop.??", [name]);
    const lines = rows.map((row) => JSON.stringify(row)).toSorted((a, b) => (a < b ? -1 : 1));
    hashes[String(name)] = createHash("sha256").update(lines.join("\n")).digest("hex");
  }
  await connection.end();
  return hashes;
}

/** How a restore says that it ended. */
function endOf(stdout: string): string {
  const outcome = JSON.parse(stdout) as { identical?: boolean; error?: { code: string } };
  return outcome.identical === true ? "identical" : (outcome.error?.code ?? "different");
}

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
