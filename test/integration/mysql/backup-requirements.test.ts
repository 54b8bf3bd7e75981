import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { join } from "node:path";
import type { Finding } from "../../../lib/sources/engine.ts";
import { openConnection } from "../../../lib/sources/mysql/connection.ts";
import { writeHeartbeat } from "../../../lib/sources/mysql/heartbeat-table.ts";
import { preflightMysql } from "../../../lib/sources/mysql/preflight.ts";
import { parseMysqlUrl } from "../../../lib/sources/mysql/url.ts";
import { freePort } from "../../../local/servers/free-port.ts";
import { backUp, sourceContext } from "../../support/mysql-engine.ts";
import { connectTo, createDatabase, createUser, startTestMysql, type TestMysql, urlOf } from "../../support/mysql.ts";

const READING = ["SELECT, SHOW VIEW, TRIGGER, EVENT ON *.*", "SHOW_ROUTINE ON *.*"];

const unmet = (findings: Finding[]) => findings.filter(({ ok }) => ok !== true);
const code = (expected: string) => expect.objectContaining({ name: "AppError", code: expected });

describe("a server with GTIDs", () => {
  let server: TestMysql;
  beforeAll(async () => {
    server = await startTestMysql();
  });
  afterAll(() => server.stop());

  it("meets every requirement for root", async () => {
    const context = sourceContext(urlOf(server), { users: true });
    expect(unmet(await preflightMysql(context))).toEqual([]);
  });

  it("names all missing grants at once, each with the statement that gives it", async () => {
    await using database = await createDatabase(server, "CREATE TABLE t (id INT PRIMARY KEY)");
    const url = await createUser(server, [`SELECT ON ${database.name}.*`]);
    const context = sourceContext(url, { databases: [database.name], users: true });
    const found = unmet(await preflightMysql(context));
    const missing = found.filter(({ level }) => level === "required").map(({ setting }) => setting);
    expect(missing).toEqual([
      "grant SHOW VIEW",
      "grant TRIGGER",
      "grant EVENT",
      "grant SHOW_ROUTINE",
      "grant REPLICATION CLIENT",
      "grant SELECT",
    ]);
    const trigger = found.find(({ setting }) => setting === "grant TRIGGER");
    expect(trigger?.change).toMatch(/^GRANT TRIGGER ON `t\\_\w+`\.\* TO 'u_\w+'@'%';$/);
  });

  it("requires of a source that ships its log the grants for that, and for its heartbeat", async () => {
    const grants = [...READING, "REPLICATION CLIENT, RELOAD, BACKUP_ADMIN ON *.*"];
    const url = await createUser(server, grants);
    const schedule = { full: "0 0 3 * * *", ship: "0 * * * * *", retention: "0 0 4 * * *" };
    const shipping = {
      databases: [],
      schedule,
      log: { segmentEvery: "10s", compactAfter: "never", heartbeatTable: true },
    };
    const found = unmet(await preflightMysql(sourceContext(url, shipping)));
    expect(found.map(({ setting, level }) => [setting, level])).toEqual([
      ["grant REPLICATION SLAVE", "required"],
      ["grant CREATE", "required"],
      ["grant INSERT", "required"],
      ["grant UPDATE", "required"],
    ]);
    const without = await preflightMysql(sourceContext(url, { databases: [] }));
    expect(unmet(without).map(({ setting, level }) => [setting, level])).toEqual([
      ["grant REPLICATION SLAVE", "advised"],
    ]);
    await using root = await connectTo(server);
    for (const { change = "" } of found) await root.query(change);
    expect(unmet(await preflightMysql(sourceContext(url, shipping)))).toEqual([]);
    await using connection = await openConnection(parseMysqlUrl(url));
    for (let beat = 0; beat < 2; beat++) await writeHeartbeat(connection, "shop");
    const [rows] = await root.query("SELECT source FROM resguardo.heartbeat");
    expect(rows).toEqual([{ source: "shop" }]);
    await root.query("DROP DATABASE resguardo");
  });

  it("says that a database is not there, or not visible", async () => {
    const context = sourceContext(urlOf(server), { databases: ["nowhere"] });
    const [finding] = unmet(await preflightMysql(context));
    expect(finding).toMatchObject({ setting: "databases", code: "SOURCE_SETTING_WRONG", level: "required" });
    await expect(backUp(urlOf(server), { databases: ["nowhere"] })).rejects.toThrow(code("SOURCE_SETTING_WRONG"));
  });

  it("advises against a log that goes before ten rounds of shipping, and a clock that is apart", async () => {
    const schedule = { full: "0 0 3 * * *", ship: "0 0 0 * * *", retention: "0 0 4 * * *" };
    const context = sourceContext(urlOf(server), { schedule });
    expect(unmet(await preflightMysql(context))).toEqual([]);
    const rare = sourceContext(urlOf(server), { schedule: { ...schedule, ship: "0 0 0 1 * *" } });
    const late = () => new Date(Date.now() - 60_000);
    expect(unmet(await preflightMysql(rare, late)).map(({ setting, level }) => [setting, level])).toEqual([
      ["binlog_expire_logs_seconds", "advised"],
      ["clock", "advised"],
    ]);
  });

  it("refuses tables that have no snapshot, unless they are excluded", async () => {
    await using database = await createDatabase(
      server,
      "CREATE TABLE a (id INT) ENGINE=MyISAM; CREATE TABLE b (id INT PRIMARY KEY)",
    );
    const databases = [database.name];
    expect(unmet(await preflightMysql(sourceContext(urlOf(server), { databases })))).toMatchObject([
      { setting: "storage engines", code: "SOURCE_UNSUPPORTED", found: `${database.name}.a (MyISAM)` },
    ]);
    await expect(backUp(urlOf(server), { databases })).rejects.toThrow(code("SOURCE_UNSUPPORTED"));
    const { manifest } = await backUp(urlOf(server), { databases, excludeTables: [`${database.name}.a`] });
    expect(manifest.tables.map(({ name }) => name)).toEqual(["b"]);
  });

  it("fails within a second where the position can't be read, before it reads any row", async () => {
    await using database = await createDatabase(
      server,
      "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)",
    );
    const url = await createUser(server, READING);
    const started = performance.now();
    await expect(backUp(url, { databases: [database.name] })).rejects.toThrow(code("SOURCE_POSITION_UNREADABLE"));
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it("refuses a text that the account may not see, instead of leaving it out", async () => {
    await using database = await createDatabase(server, "CREATE PROCEDURE p () SELECT 1");
    const grants = [`SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON ${database.name}.*`, "REPLICATION CLIENT ON *.*"];
    const url = await createUser(server, grants);
    await expect(backUp(url, { databases: [database.name] })).rejects.toThrow(code("SOURCE_GRANT_MISSING"));
  });

  it("turns a wrong password and a closed port into coded errors", async () => {
    const wrong = parseMysqlUrl(urlOf(server, undefined, { user: "root", password: "wrong" }));
    await expect(openConnection(wrong)).rejects.toThrow(code("SOURCE_LOGIN_REFUSED"));
    const closed = { ...wrong, port: await freePort() };
    await expect(openConnection(closed)).rejects.toThrow(code("SOURCE_UNREACHABLE"));
  });

  it("trusts no certificate but one of the given authority, and no name but the certificate's", async () => {
    const url = (options: string) => parseMysqlUrl(`${urlOf(server)}?${options}`);
    const authority = encodeURIComponent(join(server.dataDir, "ca.pem"));
    await expect(openConnection(url("ssl-mode=VERIFY_CA"))).rejects.toThrow(code("SOURCE_TLS_FAILED"));
    await expect(openConnection(url(`ssl-ca=${authority}`))).rejects.toThrow(code("SOURCE_TLS_FAILED"));
    await expect(openConnection(url("ssl-ca=/nowhere.pem"))).rejects.toThrow(code("SOURCE_URL_INVALID"));
    await using connection = await openConnection(url(`ssl-mode=VERIFY_CA&ssl-ca=${authority}`));
    const [row] = await connection.query<"Value">("SHOW STATUS LIKE 'Ssl_cipher'");
    expect(row?.Value).toMatch(/AES|CHACHA/);
  });

  it("reads rows over TLS, too", async () => {
    await using database = await createDatabase(
      server,
      "CREATE TABLE t (v TEXT); INSERT INTO t VALUES (REPEAT('é', 30000))",
    );
    const authority = encodeURIComponent(join(server.dataDir, "ca.pem"));
    const context = sourceContext(urlOf(server), { databases: [database.name] });
    const { backupMysql } = await import("../../../lib/sources/mysql/backup.ts");
    const { MemoryBackup } = await import("../../support/memory-backup.ts");
    const backup = new MemoryBackup();
    const url = `${context.url}?ssl-mode=VERIFY_CA&ssl-ca=${authority}`;
    const { tables } = await backupMysql({ ...context, url }, backup);
    expect(tables).toMatchObject([{ name: "t", rows: 1, plainBytes: 60_001 }]);
    expect(Buffer.concat(backup.blobs.get("rows/000001") ?? []).toString()).toBe(`${"é".repeat(30_000)}\n`);
  });
});

describe("a server without GTIDs", () => {
  it("is backed up by file and offset with the lock, and not without it", async () => {
    await using server = await startTestMysql({ gtid_mode: "OFF", enforce_gtid_consistency: "OFF" });
    await using database = await createDatabase(
      server,
      "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)",
    );
    const { manifest } = await backUp(urlOf(server), { databases: [database.name] });
    expect(manifest.position).toMatchObject({ gtidMode: "OFF", gtidSet: "", file: "binlog.000001" });
    const url = await createUser(server, [...READING, "REPLICATION CLIENT ON *.*"]);
    await expect(backUp(url, { databases: [database.name] })).rejects.toThrow(code("SOURCE_SNAPSHOT_FAILED"));
    expect(unmet(await preflightMysql(sourceContext(urlOf(server)))).map(({ setting }) => setting)).toEqual([
      "gtid_mode",
    ]);
  });
});

describe("a server without a binlog", () => {
  it("is refused at once", async () => {
    await using server = await startTestMysql({
      skip_log_bin: true,
      gtid_mode: "OFF",
      enforce_gtid_consistency: "OFF",
    });
    await expect(backUp(urlOf(server))).rejects.toThrow(code("SOURCE_POSITION_UNREADABLE"));
    expect(unmet(await preflightMysql(sourceContext(urlOf(server))))).toContainEqual(
      expect.objectContaining({ setting: "log_bin", found: "OFF", code: "SOURCE_POSITION_UNREADABLE" }),
    );
  });
});
