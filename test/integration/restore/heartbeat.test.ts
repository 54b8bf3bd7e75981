import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Receipt } from "../../../lib/jobs/receipt.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

let source: TestMysql;
let target: TestMysql;
let workspace: Workspace;

beforeAll(async () => {
  [source, target] = await Promise.all([startTestMysql(), startTestMysql({ server_id: 2 })]);
  const restoreTests = [{ kind: "pitr", schedule: "0 0 6 1 * *", target: { env: "TARGET_URL" } }];
  const env = { SHOP_URL: source.url, TARGET_URL: target.url };
  workspace = await makeWorkspace(env, { restoreTests, log: { heartbeatTable: true } });
  await ask(source, "CREATE DATABASE shop");
  await ask(source, "CREATE TABLE shop.items (id INT PRIMARY KEY)");
});
afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
  await Promise.all([source.stop(), target.stop()]);
});

async function ask(server: TestMysql, sql: string): Promise<string> {
  await using connection = await connectTo(server);
  const [rows] = await connection.query({ sql, rowsAsArray: true });
  return Array.isArray(rows) ? (rows as unknown[][]).map(([value]) => String(value)).join(" ") : "";
}

async function command(...args: string[]): Promise<unknown> {
  const { exitCode, stdout, stderr } = await workspace.run([...args, "--json"]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return JSON.parse(stdout);
}

const beat = () => ask(source, "SELECT DATE_FORMAT(beat_at, '%Y-%m-%dT%H:%i:%s.%fZ') FROM resguardo.heartbeat");

describe("the heartbeat in restored rows", () => {
  it("tells a drill the RPO that was reached, wherever the table was made", async () => {
    await command("backup", "shop");
    for (const made of ["since the full backup", "before it"]) {
      if (made === "before it") await command("backup", "shop");
      await command("ship", "shop");
      const { details } = (await command("drill", "shop", "--kind", "pitr")) as Receipt;
      expect(details.figures).toMatchObject({ heartbeatAt: await beat(), heartbeatRpoSeconds: expect.any(Number) });
      expect(details.figures["heartbeatRpoSeconds"]).toBeGreaterThanOrEqual(Number(details.figures["rpoSeconds"]));
    }
  });

  it("is the one of the instant, and none where the table is not restored", async () => {
    const before = await beat();
    const mark = await ask(source, "SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ')");
    await command("ship", "shop");
    expect(await beat()).not.toBe(before);
    const restore = (...more: string[]) =>
      command("restore", "shop", "--to", mark, "--target", "env:TARGET_URL", "--scratch", ...more);
    expect(await restore()).toMatchObject({ heartbeatAt: before });
    await ask(target, "DROP DATABASE shop");
    expect(await restore("--tables", "shop")).toMatchObject({ identical: true, heartbeatAt: null });
  });
});
