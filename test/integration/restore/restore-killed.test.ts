import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { seededRandom } from "../../support/random.ts";
import { tableStates } from "../../support/server-log.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

/*
 * The whole command, killed while it replays a log of definitions and rows, onto a target with GTIDs and a binlog of its own.
 */

const SEED = 20261122;
const TABLES = 40;
const KILLS = 3;

let source: TestMysql;
let target: TestMysql;
let workspace: Workspace;

beforeAll(async () => {
  [source, target] = await Promise.all([startTestMysql(), startTestMysql({ server_id: 2 })]);
  workspace = await makeWorkspace({ SHOP_URL: source.url, TARGET_URL: target.url });
  await run(
    source,
    "CREATE DATABASE shop; CREATE TABLE shop.items (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(40)); INSERT INTO shop.items (v) VALUES ('first')",
  );
  await command("backup", "shop");
  const steps = Array.from({ length: TABLES }, (_, index) => [
    `CREATE TABLE made_${index} (id INT PRIMARY KEY AUTO_INCREMENT, v INT)`,
    ...Array.from({ length: 10 }, (__, row) => `INSERT INTO made_${index} (v) VALUES (${row})`),
    `UPDATE items SET v = CONCAT('after ', ${index})`,
    "INSERT INTO items (v) VALUES ('more')",
    ...(index % 10 === 9 ? [`ALTER TABLE items ADD COLUMN c${index} INT DEFAULT ${index}`] : []),
  ]);
  await run(source, `USE shop; ${steps.flat().join("; ")}`);
  await command("ship", "shop");
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

async function command(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await workspace.run([...args, "--json"]);
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return stdout;
}

const madeTables = async (): Promise<number> =>
  Number(
    await ask(
      target,
      "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shop' AND table_name LIKE 'made%'",
    ),
  );

describe("a restore to an instant whose process is killed while it replays", () => {
  it(`goes on where it was, ${KILLS} times, without a duplicate or a loss (seed ${SEED})`, async () => {
    const random = seededRandom(SEED);
    const args = ["restore", "shop", "--to", "latest", "--target", "env:TARGET_URL"];
    for (let kill = 0; kill < KILLS; kill++) {
      const before = await madeTables();
      const child = workspace.start(args);
      const ended = once(child, "close");
      await eventually(async () => (await madeTables()) > before + random() * 5, {
        deadlineMs: 60_000,
        everyMs: Math.ceil(random() * 40),
        describe: "the replay to go on",
      });
      child.kill("SIGKILL");
      await ended;
      expect(child.signalCode).toBe("SIGKILL");
    }
    expect(await madeTables()).toBeLessThan(TABLES);
    const outcome: unknown = JSON.parse(await command(...args));
    expect(outcome).toMatchObject({ identical: true, continued: true, rowsLost: 0 });
    expect(await tableStates(target, ["shop"])).toEqual(await tableStates(source, ["shop"]));
    const [own, others] = [await ask(target, "SELECT @@server_uuid"), await ask(source, "SELECT @@server_uuid")];
    const executed = await ask(target, "SELECT @@gtid_executed");
    expect(executed).toContain(own);
    expect(executed).not.toContain(others);
    expect(await ask(target, "SHOW DATABASES LIKE 'resguardo%'")).toBe("");
  });
});
