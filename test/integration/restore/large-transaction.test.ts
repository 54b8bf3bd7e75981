import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { VaultChanges } from "../../../lib/restore/changes.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

/*
 * One transaction of 300 MB, where the promise is one of 1 GB: already this one, kept whole by any step, would not fit the
 * memory that is allowed. Its log is cut over several segments.
 */

const ROWS = 300_000;
const MOST_MB = 400;
const REPORTER = new URL("../../bench/report-rss.mjs", import.meta.url).href;

let source: TestMysql;
let target: TestMysql;
let workspace: Workspace;

beforeAll(async () => {
  const options = { innodb_redo_log_capacity: "512M", innodb_buffer_pool_size: "256M" };
  [source, target] = await Promise.all([startTestMysql(options), startTestMysql({ ...options, server_id: 2 })]);
  workspace = await makeWorkspace({ SHOP_URL: source.url, TARGET_URL: target.url });
});
afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
  await Promise.all([source.stop(), target.stop()]);
});

async function ask(server: TestMysql, sql: string): Promise<string> {
  await using connection = await connectTo(server);
  const [rows] = await connection.query({ sql, rowsAsArray: true });
  return Array.isArray(rows) ? (rows as unknown[][]).map((row) => row.join(" ")).join("\n") : "";
}

/** Runs a command and gives what it printed, once its peak memory is known to be within bounds. */
async function bounded(...args: string[]): Promise<unknown> {
  const report = join(workspace.folder, "rss");
  const env = { RSS_REPORT: report, NODE_OPTIONS: `--import ${REPORTER}` };
  const { exitCode, stdout, stderr } = await workspace.run([...args, "--json"], env);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  const rssMb = Number(await readFile(report, "utf8")) / 1024;
  expect(rssMb, `peak memory of ${args[0]}, in MB`).toBeLessThan(MOST_MB);
  return JSON.parse(stdout);
}

describe("one transaction of 300 MB", () => {
  it("is shipped, looked at and replayed in a memory that does not depend on it", { timeout: 400_000 }, async () => {
    await ask(source, "CREATE DATABASE shop");
    await ask(source, "CREATE TABLE shop.large (id INT PRIMARY KEY, v VARCHAR(1024) CHARACTER SET ascii)");
    await bounded("backup", "shop");
    await ask(
      source,
      `INSERT INTO shop.large WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
       SELECT (a.i - 1) * 1000 + b.i, REPEAT(SHA2(a.i * 1000 + b.i, 512), 8) FROM n a JOIN n b WHERE a.i <= ${ROWS / 1000}`,
    );
    await bounded("ship", "shop");
    const gtid = (await ask(source, "SELECT @@gtid_executed")).replace(/:.*?(\d+)$/, ":$1");
    const changes = (await bounded("changes", "shop", "--at", gtid, "--values", "--rows", "2")) as VaultChanges;
    expect(changes.largest).toMatchObject([{ tables: [{ inserted: ROWS }], rowsNotShown: ROWS - 2 }]);
    expect(changes.largest[0]?.bytes).toBeGreaterThan(300e6);

    const restored = await bounded("restore", "shop", "--to", "latest", "--target", "env:TARGET_URL", "--scratch");
    expect(restored).toMatchObject({ identical: true, replayed: { lastTransaction: gtid }, rowsLost: 0 });
    const sums = "SELECT COUNT(*), SUM(id), BIT_XOR(CRC32(v)) FROM shop.large";
    expect(await ask(target, sums)).toBe(await ask(source, sums));
  });
});
