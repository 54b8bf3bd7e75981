import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { silentLogger } from "../../../lib/core/log.ts";
import type { JobMessage } from "../../../lib/jobs/message.ts";
import { runJob } from "../../../lib/jobs/run-job.ts";
import { runDrill } from "../../../lib/restore/drill.ts";
import { parseRestorePoint } from "../../../lib/restore/choose.ts";
import { recoveryWindowsOf } from "../../../lib/restore/list.ts";
import { planRestore, restoreSource, type RestoreOptions } from "../../../lib/restore/restore-source.ts";
import type { Context } from "../../../lib/vault/context.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

/*
 * One history: a full backup; a row before the mark, the mark, a row after it; a new table, an altered one and a wrong DELETE;
 * a row after that. Each test restores one of its instants into the empty target.
 */

let source: TestMysql;
let target: TestMysql;
let workspace: Workspace;
let context: Context;
let mark = "";
let wrongDelete = "";

beforeAll(async () => {
  [source, target] = await Promise.all([startTestMysql(), startTestMysql()]);
  const restoreTests = ["pitr", "from-zero"].map((kind) => {
    return { kind, schedule: "0 0 6 1 * *", target: { env: "TARGET_URL" } };
  });
  const env = { SHOP_URL: source.url, TARGET_URL: target.url };
  workspace = await makeWorkspace(env, { databases: ["shop"], excludeTables: ["shop.cache"], restoreTests });
  context = await workspace.open();
  await run(
    source,
    `CREATE DATABASE shop; CREATE DATABASE other; USE shop;
     CREATE TABLE items (id INT PRIMARY KEY, v VARCHAR(40)); CREATE TABLE orders (id INT PRIMARY KEY, total DECIMAL(9,2));
     CREATE TABLE cache (id INT PRIMARY KEY); CREATE TABLE other.things (id INT PRIMARY KEY);
     CREATE EVENT tick ON SCHEDULE EVERY 1 DAY STARTS '2040-01-01' DO DELETE FROM items;
     INSERT INTO items VALUES (1, 'in the full'); INSERT INTO orders VALUES (1, 10.50)`,
  );
  await job({ job: "backup" });
  await run(source, "INSERT INTO shop.items VALUES (2, 'before the mark'); INSERT INTO shop.cache VALUES (1)");
  mark = await ask(source, "SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ')");
  await run(source, "INSERT INTO shop.items VALUES (3, 'after the mark'); INSERT INTO other.things VALUES (1)");
  await run(
    source,
    `USE shop; CREATE TABLE later (id INT PRIMARY KEY); INSERT INTO later VALUES (1);
     ALTER TABLE orders ADD COLUMN note VARCHAR(20); INSERT INTO orders VALUES (2, 20, 'shipped');
     ALTER TABLE cache ADD COLUMN v INT; CREATE EVENT tock ON SCHEDULE EVERY 1 DAY STARTS '2040-01-01' DO DELETE FROM later`,
  );
  const before = await ask(source, "SELECT @@gtid_executed");
  await run(source, "DELETE FROM shop.items");
  wrongDelete = await ask(source, `SELECT GTID_SUBTRACT(@@gtid_executed, '${before}')`);
  await run(source, "INSERT INTO shop.items VALUES (9, 'after the wrong DELETE')");
  await job({ job: "ship" });
});
afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
  await Promise.all([source.stop(), target.stop()]);
});

async function run(server: TestMysql, sql: string): Promise<void> {
  await using connection = await connectTo(server);
  await connection.query(sql);
}

/** The first column of the rows, one after the other. */
async function ask(server: TestMysql, sql: string): Promise<string> {
  await using connection = await connectTo(server);
  const [rows] = await connection.query({ sql, rowsAsArray: true });
  return (rows as unknown[][]).map(([value]) => String(value)).join(" ");
}

const restoredTables = (schema: string) =>
  ask(target, `SELECT table_name FROM information_schema.tables WHERE table_schema = '${schema}' ORDER BY 1`);

const schemas = () =>
  ask(
    target,
    "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') ORDER BY 1",
  );

async function job(message: Partial<JobMessage> & Pick<JobMessage, "job">) {
  const whole = { v: 1, source: "shop", requestedBy: "test", ...message } as JobMessage;
  const outcome = await runJob(whole, { drill: runDrill }, context, { attempt: 1, logger: silentLogger });
  if (outcome.state === "covered") throw new Error("covered");
  if (outcome.failure) throw outcome.failure;
  return outcome.receipt.details;
}

function request(to: string, options: Partial<RestoreOptions> = {}): RestoreOptions {
  return {
    source: "shop",
    point: parseRestorePoint(to),
    targetUrl: target.url,
    rename: new Map(),
    intoNonEmpty: false,
    users: false,
    connections: 2,
    scratch: false,
    logger: silentLogger,
    signal: new AbortController().signal,
    ...options,
  };
}

async function restore(to: string, options: Partial<RestoreOptions> = {}) {
  return restoreSource(context, request(to, options));
}

const dropRestored = (...names: string[]) => run(target, names.map((name) => `DROP DATABASE ${name}`).join("; "));

describe("a restore to an instant", () => {
  it("holds what was committed until a time, to the microsecond, and nothing later", async () => {
    const outcome = await restore(mark);
    expect(outcome).toMatchObject({ identical: true, rowsLost: 0, requested: mark, reached: { at: mark } });
    expect(outcome.replayed?.transactions).toBe(2);
    expect(await ask(target, "SELECT id FROM shop.items ORDER BY 1")).toBe("1 2");
    expect(await restoredTables("shop")).toBe("items orders");
    expect(await ask(target, "SELECT status FROM information_schema.events WHERE event_name = 'tick'")).toBe("ENABLED");
    expect(await schemas()).toBe("shop");
    await dropRestored("shop");
  });

  it("undoes a wrong DELETE by stopping before it", async () => {
    const outcome = await restore(`before:${wrongDelete}`);
    expect(outcome.identical).toBe(true);
    expect(await ask(target, "SELECT id FROM shop.items ORDER BY 1")).toBe("1 2 3");
    expect(await ask(target, "SELECT CONCAT(id, '=', COALESCE(note, '-')) FROM shop.orders ORDER BY id")).toBe(
      "1=- 2=shipped",
    );
    expect(await restoredTables("shop")).toBe("items later orders");
    expect(outcome.notCarriedOver).toEqual([{ object: "event `shop`.`tock`", reason: expect.any(String) }]);
    await dropRestored("shop");
  });

  it("includes the transaction that it is to end with", async () => {
    const { reached } = await restore(`after:${wrongDelete}`);
    expect(reached.lastTransaction).toBe(wrongDelete);
    expect(await ask(target, "SELECT COUNT(*) FROM shop.items")).toBe("0");
    await dropRestored("shop");
  });

  it("reaches the end of the log, and can do so beside other schemas under another name, table by table", async () => {
    const outcome = await restore("latest", { only: ["shop.items"], rename: new Map([["shop.items", "again.stuff"]]) });
    expect(outcome).toMatchObject({ identical: true, tables: 1, rowsLost: 0 });
    expect(await ask(target, "SELECT v FROM again.stuff")).toBe("after the wrong DELETE");
    expect(await schemas()).toBe("again");
    await dropRestored("again");
  });

  it("tells beforehand how much of the log it would read, and changes nothing", async () => {
    const plan = await planRestore(context, request("latest"));
    expect(plan.log?.transactions).toBeGreaterThan(5);
    expect(plan.log?.plainBytes).toBeGreaterThan(500);
    expect(plan).toMatchObject({ expectedBasis: "default", expectedSeconds: 1 });
    expect(await schemas()).toBe("");
  });

  it("refuses a time outside the window, and leaves the log alone when a full backup is asked for", async () => {
    await expect(restore("2020-01-01T00:00:00Z")).rejects.toMatchObject({ code: "TIME_OUTSIDE_WINDOW" });
    const { backup } = await planRestore(context, request("latest"));
    const outcome = await restore("latest", { point: { kind: "backup", id: backup } });
    expect(outcome.replayed).toBeNull();
    expect(await ask(target, "SELECT id FROM shop.items")).toBe("1");
    await dropRestored("shop");
  });

  it("is not finished while its rows differ: no event runs, and the same command finishes it once they don't", async () => {
    const stopping = new AbortController();
    const progress: RestoreOptions["progress"] = ({ phase }) => {
      if (phase === "comparing rows") stopping.abort(new Error("stopped while comparing"));
    };
    await expect(restore("latest", { signal: stopping.signal, progress })).rejects.toThrow();
    await run(target, "UPDATE shop.items SET v = 'changed by somebody'");
    const differing = await restore("latest");
    expect(differing).toMatchObject({ identical: false, replayed: null, rowsLost: null });
    const tick = "SELECT status FROM information_schema.events WHERE event_name = 'tick'";
    expect(await ask(target, tick)).toBe("DISABLED");
    expect(await schemas()).toMatch(/^resguardo_restore_[0-9a-f]{16} shop$/);
    await run(target, "UPDATE shop.items SET v = 'in the full'");
    expect(await restore("latest")).toMatchObject({ identical: true, continued: true, rowsLost: 0 });
    expect(await ask(target, tick)).toBe("ENABLED");
    expect(await schemas()).toBe("shop");
    await dropRestored("shop");
  });

  it("goes on where it was interrupted before and within the replay, by the same command only", async () => {
    for (const phase of ["reading rows", "replaying the log"]) {
      const stopping = new AbortController();
      const progress = () => stopping.abort(new Error(`stopped while ${phase}`));
      await expect(
        restore("latest", {
          signal: stopping.signal,
          progress: (update) => {
            if (phase === "reading rows" || update.phase === phase) progress();
          },
        }),
      ).rejects.toThrow();
    }
    await expect(restore(mark)).rejects.toMatchObject({ code: "TARGET_NOT_EMPTY" });
    const outcome = await restore("latest");
    expect(outcome).toMatchObject({ continued: true, identical: true, rowsLost: 0 });
    expect(outcome.checks[0]?.name).toContain("by the run that was interrupted");
    expect(await ask(target, "SELECT id FROM shop.items")).toBe("9");
    expect(await schemas()).toBe("shop");
    await dropRestored("shop");
  });
});

describe("a drill", () => {
  it.each([
    ["pitr", "primary"],
    ["from-zero", "offsite"],
  ] as const)("%s restores the newest instant from %s, measures it, and leaves nothing behind", async (test, vault) => {
    const { figures, checks } = await job({ job: "drill", test });
    expect(figures).toMatchObject({ vault, rowsLost: 0, rpoPromisedSeconds: 900, requested: "latest" });
    expect(Number(figures["rpoSeconds"])).toBeLessThan(600);
    expect(Number(figures["transactions"])).toBeGreaterThan(5);
    expect(checks.every(({ ok }) => ok)).toBe(true);
    expect(await schemas()).toBe("");
    expect(await planRestore(context, request("latest"))).toMatchObject({ expectedBasis: "measured" });
    for (const { windows } of await recoveryWindowsOf(context, "shop")) {
      expect(windows).toMatchObject([{ expectedBasis: "measured", expectedSeconds: expect.any(Number) }]);
    }
  });
});

describe("a restore that was interrupted", () => {
  it("goes on with its own full backup when a newer one has come since", async () => {
    const stopping = new AbortController();
    const progress = () => stopping.abort(new Error("stopped"));
    await expect(restore("latest", { signal: stopping.signal, progress })).rejects.toThrow();
    const { backup } = await planRestore(context, request("latest"));
    await job({ job: "backup" });
    await run(source, "INSERT INTO shop.items VALUES (10, 'after the newer full')");
    await job({ job: "ship" });
    const outcome = await restore("latest");
    expect(outcome).toMatchObject({ continued: true, identical: true, backup });
    expect(await ask(target, "SELECT id FROM shop.items ORDER BY 1")).toBe("9 10");
    await dropRestored("shop");
    expect((await planRestore(context, request("latest"))).backup).not.toBe(backup);
  });
});
