import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { BlobServiceClient } from "@azure/storage-blob";
import { QueueServiceClient } from "@azure/storage-queue";
import type { RowDataPacket } from "mysql2/promise";
import { describe, expect, test } from "vitest";
import { startAzurite } from "../../../local/servers/azurite.ts";
import { mysqlClient } from "../../../local/servers/mysql-programs.ts";
import { startMysql } from "../../../local/servers/mysql.ts";
import { eventually } from "../../support/eventually.ts";
import { connectTo, createDatabase, createUser, startTestMysql } from "../../support/mysql.ts";

async function queryRow(server: { url: string }, sql: string): Promise<RowDataPacket> {
  await using connection = await connectTo(server);
  const [rows] = await connection.query<RowDataPacket[]>(sql);
  const [row] = rows;
  if (!row) throw new Error(`no row: ${sql}`);
  return row;
}

async function temporary(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "resguardo-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("a MySQL server", () => {
  test("is a real one with binlog and GTIDs, takes options, and serves the clients that came with it", async () => {
    await using server = await startTestMysql({ "max-connections": 33, binlog_row_image: "MINIMAL" });
    const settings = "@@version AS version, @@max_connections AS connections, @@binlog_row_image AS image";
    const row = await queryRow(
      server,
      `SELECT ${settings}, @@gtid_mode AS gtid, @@log_bin AS log, @@local_infile AS fromClient`,
    );
    expect(row).toEqual({
      version: expect.stringMatching(/^9\.\d+\./),
      connections: 33,
      image: "MINIMAL",
      gtid: "ON",
      log: 1,
      fromClient: 1,
    });
    await using database = await createDatabase(server, "CREATE TABLE t (a INT PRIMARY KEY); INSERT INTO t VALUES (7)");
    const { password } = new URL(server.url);
    const login = [`--socket=${server.socket}`, "--user=root", `--password=${password}`];
    const [file, ...args] = await mysqlClient("mysqldump", [...login, "--single-transaction", database.name]);
    expect(execFileSync(file, args, { stdio: ["ignore", "pipe", "ignore"] }).toString()).toContain("VALUES (7)");
  });

  test("is one of its own for each start, and is gone with its data when it stops", async () => {
    await using first = await startTestMysql();
    const second = await startTestMysql();
    const uuids = await Promise.all([first, second].map((server) => queryRow(server, "SELECT @@server_uuid AS uuid")));
    expect(new Set(uuids.map(({ uuid }) => String(uuid))).size).toBe(2);
    await second.stop();
    expect([isAlive(second.pid), existsSync(second.dataDir), existsSync(second.socket)]).toEqual([false, false, false]);
    expect(isAlive(first.pid)).toBe(true);
  });

  test("in a folder of the caller's choice keeps its rows over a crash and a stop", async () => {
    await using folder = await temporary();
    const dataDir = join(folder.path, "data");
    const first = await startMysql({ dataDir });
    const database = await createDatabase(first, "CREATE TABLE t (a INT PRIMARY KEY); INSERT INTO t VALUES (1)");
    const count = `SELECT COUNT(*) AS rowCount FROM ${database.name}.t`;
    await first.kill();
    const second = await startMysql({ dataDir });
    expect(await queryRow(second, count)).toEqual({ rowCount: 1 });
    await second.stop();
    await using third = await startMysql({ dataDir });
    expect(await queryRow(third, count)).toEqual({ rowCount: 1 });
  });

  test("gives a user exactly the grants asked for", async () => {
    await using server = await startTestMysql();
    const url = await createUser(server, ["SELECT, RELOAD ON *.*"]);
    const row = await queryRow({ url }, "SHOW GRANTS");
    expect(Object.values(row).join()).toMatch(/^GRANT SELECT, RELOAD ON \*\.\* TO `u_/);
  });

  test("that refuses an option fails with a code and its own complaint", async () => {
    await expect(startTestMysql({ no_such_option: 1 })).rejects.toThrow(
      expect.objectContaining({ code: "LOCAL_SERVER_FAILED", message: expect.stringContaining("no_such_option") }),
    );
  });
});

describe("Azurite", () => {
  test("serves blobs and queues from memory, each start with a key of its own", async () => {
    await using first = await startAzurite();
    await using second = await startAzurite();
    await BlobServiceClient.fromConnectionString(first.connectionString).createContainer("kept");
    await QueueServiceClient.fromConnectionString(first.connectionString).createQueue("kept");
    const foreign = first.connectionString.replace(
      /AccountKey=[^;]+/,
      /AccountKey=[^;]+/.exec(second.connectionString)?.[0] ?? "",
    );
    await expect(BlobServiceClient.fromConnectionString(foreign).createContainer("foreign")).rejects.toThrow(
      expect.objectContaining({ statusCode: 403 }),
    );
  });

  test("keeps its blobs in a folder from one start to the next", async () => {
    await using folder = await temporary();
    const first = await startAzurite({ location: folder.path });
    const { containerClient } = await BlobServiceClient.fromConnectionString(first.connectionString).createContainer(
      "kept",
    );
    await containerClient.uploadBlockBlob("blob", "kept", 4);
    await first.stop();
    await using second = await startAzurite({ location: folder.path });
    const container = BlobServiceClient.fromConnectionString(second.connectionString).getContainerClient("kept");
    expect((await container.getBlobClient("blob").downloadToBuffer()).toString()).toBe("kept");
  });
});

describe("servers whose parent was killed", () => {
  test("end by themselves, and the next start removes the data that they left", async () => {
    const starter = fileURLToPath(new URL("start-servers.ts", import.meta.url));
    const parent = spawn(process.execPath, [starter], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(createInterface({ input: parent.stdout }), "line")) as [string];
    const { pids, dataDir } = JSON.parse(line) as { pids: number[]; dataDir: string };
    expect(pids.map(isAlive)).toEqual([true, true]);
    parent.kill("SIGKILL");
    await eventually(() => !pids.some(isAlive), { describe: "the servers to end", deadlineMs: 30_000 });
    await using next = await startTestMysql();
    expect([existsSync(dataDir), existsSync(next.dataDir)]).toEqual([false, true]);
  });
});
