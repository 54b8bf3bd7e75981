import { once } from "node:events";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Receipt } from "../../../lib/jobs/receipt.ts";
import { eventually } from "../../support/eventually.ts";
import { expireLeases } from "../../support/leases.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

/*
 * The log makes a schema and then a hundred tables, one statement each: a drill is killed while it replays them.
 */

let source: TestMysql;
let target: TestMysql;
let workspace: Workspace;

beforeAll(async () => {
  [source, target] = await Promise.all([startTestMysql(), startTestMysql()]);
  const restoreTests = [{ kind: "pitr", schedule: "0 0 6 1 * *", target: { env: "TARGET_URL" } }];
  workspace = await makeWorkspace({ SHOP_URL: source.url, TARGET_URL: target.url }, { restoreTests });
  await run(
    source,
    "CREATE DATABASE shop; CREATE TABLE shop.items (id INT PRIMARY KEY); INSERT INTO shop.items VALUES (1)",
  );
  await command("backup", "shop");
  const tables = Array.from({ length: 100 }, (_, index) => `CREATE TABLE shop.later_${index} (id INT PRIMARY KEY)`);
  await run(source, ["CREATE DATABASE made_by_log; CREATE TABLE made_by_log.t (id INT)", ...tables].join("; "));
  await command("ship", "shop");
});
afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
  await Promise.all([source.stop(), target.stop()]);
});

afterEach(async () => {
  await run(target, "DROP DATABASE IF EXISTS shop");
});

async function run(server: TestMysql, sql: string): Promise<void> {
  await using connection = await connectTo(server);
  await connection.query(sql);
}

async function command(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await workspace.run([...args, "--json"]);
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return stdout;
}

async function drill(): Promise<Receipt> {
  await expireLeases(workspace);
  return JSON.parse(await command("drill", "shop", "--kind", "pitr")) as Receipt;
}

/** `schema.table` of all tables on the target, and the names of its schemas. */
async function standing(): Promise<string[]> {
  await using connection = await connectTo(target);
  const [rows] = await connection.query({
    sql: `SELECT schema_name FROM information_schema.schemata
          UNION ALL SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables ORDER BY 1`,
    rowsAsArray: true,
  });
  return (rows as string[][])
    .map(([name = ""]) => name)
    .filter((name) => !/^(?:mysql|sys|information_schema|performance_schema)(?:\.|$)/.test(name));
}

async function killWhileReplaying(): Promise<void> {
  await expireLeases(workspace);
  const child = workspace.start(["drill", "shop", "--kind", "pitr"]);
  const ended = once(child, "close");
  await eventually(async () => (await standing()).includes("shop.later_5"), {
    deadlineMs: 60_000,
    describe: "the drill to replay",
  });
  child.kill("SIGKILL");
  await ended;
  expect(child.signalCode).toBe("SIGKILL");
  expect(await standing()).toContain("made_by_log.t");
}

describe("a drill after one that was killed while it replayed", () => {
  it("removes what that one left, and loads and compares everything anew", async () => {
    await killWhileReplaying();
    const { details } = await drill();
    expect(details.figures).toMatchObject({ rowsLost: 0, "rows and indexesSeconds": expect.any(Number) });
    expect(details.figures["compareSeconds"]).toBeGreaterThan(0);
    expect(details.checks.map(({ name }) => name)).not.toContainEqual(expect.stringContaining("interrupted"));
    expect(await standing()).toEqual([]);
  });

  it("removes it also when a newer full backup has come since, and leaves an empty schema empty", async () => {
    await run(target, "CREATE DATABASE shop");
    await killWhileReplaying();
    await command("backup", "shop");
    await run(source, "INSERT INTO shop.items VALUES (2)");
    await command("ship", "shop");
    const { state, details } = await drill();
    expect({ state, rows: details.figures["rows"] }).toEqual({ state: "done", rows: 1 });
    expect(await standing()).toEqual(["shop"]);
  });
});
