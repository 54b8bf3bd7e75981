import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readVaultProofs } from "../../../lib/vault/proofs.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

let server: TestMysql;
let workspace: Workspace;

beforeAll(async () => {
  server = await startTestMysql();
  await run(`CREATE DATABASE shop; USE shop;
    CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, v LONGBLOB, t TEXT, d DOUBLE, j JSON);
    INSERT INTO item (v, t, d, j) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
      SELECT RANDOM_BYTES(200), CONCAT('a\tb\\\\c', CHAR(10), i), i / 7, JSON_OBJECT('k', i, 'when', CAST('2026-11-22' AS DATE)) FROM n;
    INSERT INTO item (v) VALUES (REPEAT('x', 6000000));
    CREATE TABLE nothing (id INT PRIMARY KEY)`);
  workspace = await makeWorkspace({ SHOP_URL: server.url }, { databases: ["shop"], log: { segmentEvery: "1s" } });
});

afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
  await server.stop();
});

async function run(sql: string): Promise<void> {
  await using connection = await connectTo(server);
  await connection.query(sql);
}

async function command(...args: string[]) {
  const { exitCode, stdout, stderr } = await workspace.run([...args, "--json"]);
  return { exitCode, document: JSON.parse(stdout) as Record<string, unknown>, stderr };
}

describe("a deep verification of a real backup and its log", () => {
  it("recomputes every fingerprint and counts every transaction, and its receipt is a proof", async () => {
    expect((await command("backup", "shop")).exitCode).toBe(0);
    await run(
      "INSERT INTO shop.item (t) VALUES ('one'); DELETE FROM shop.item WHERE id < 10; CREATE TABLE shop.later (id INT)",
    );
    expect((await command("ship", "shop")).exitCode).toBe(0);
    await run("UPDATE shop.item SET d = 1 WHERE id > 890");
    expect((await command("ship", "shop")).exitCode).toBe(0);

    const looked = await command("verify", "shop", "--deep");
    expect(looked.document, looked.stderr).toMatchObject({
      failed: 0,
      notLooked: 0,
      problems: [],
      behind: [],
      unreadable: [],
    });
    expect(looked.exitCode).toBe(0);
    expect(looked.document["coverage"]).toMatchObject([{ vault: "primary" }, { vault: "offsite" }]);

    const recorded = await command("verify", "shop", "--deep", "--record");
    expect(recorded).toMatchObject({
      exitCode: 0,
      document: { failed: 0, healed: [], coverage: [{ notLooked: 0 }, {}] },
    });
    const context = await workspace.open();

    for (const vault of context.vaults.values()) {
      const query = { vault, source: "shop", trusted: await context.trustedKeys(), now: new Date() };
      const proofs = await readVaultProofs(query);
      expect(proofs?.fulls).toMatchObject([{ at: expect.any(String), deepAt: expect.any(String) }]);
      expect(proofs?.places["log"]?.ranges[0]?.deepAt).toBeDefined();
    }
  });
});
