import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startMysql } from "../../../local/servers/mysql.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

let source: TestMysql;
let target: TestMysql;
let workspace: Workspace;

beforeAll(async () => {
  [source, target] = await Promise.all([
    startMysql({ keyring: true, options: { binlog_encryption: "ON" } }),
    startTestMysql({ server_id: 2 }),
  ]);
  workspace = await makeWorkspace({ SHOP_URL: source.url, TARGET_URL: target.url }, { databases: ["shop"] });
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

async function command(...args: string[]): Promise<void> {
  const { exitCode, stderr } = await workspace.run(args);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
}

/** What a file starts with that the server encrypts: https://dev.mysql.com/doc/refman/8.4/en/replication-binlog-encryption.html */
const ENCRYPTED_MAGIC = "fd62696e";

describe("a source that encrypts its binary log", () => {
  it("is shipped and restored to an instant as any other, across a rotation and a new key", async () => {
    await ask(source, "CREATE DATABASE shop");
    await ask(source, "CREATE TABLE shop.items (id INT PRIMARY KEY)");
    await command("backup", "shop");
    await ask(source, "INSERT INTO shop.items VALUES (1)");
    await ask(source, "ALTER INSTANCE ROTATE BINLOG MASTER KEY");
    await ask(source, "INSERT INTO shop.items VALUES (2)");
    const mark = await ask(source, "SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ')");
    await ask(source, "INSERT INTO shop.items VALUES (3)");
    for (const file of (await ask(source, "SHOW BINARY LOGS")).split(" ").slice(-2)) {
      expect((await readFile(join(source.dataDir, file))).toString("hex", 0, 4)).toBe(ENCRYPTED_MAGIC);
    }
    await command("ship", "shop");
    await command("restore", "shop", "--to", mark, "--target", "env:TARGET_URL");
    expect(await ask(target, "SELECT id FROM shop.items ORDER BY id")).toBe("1 2");
  });
});
