import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { silentLogger } from "../../../lib/core/log.ts";
import { openBackupSession } from "../../../lib/sources/mysql/backup-session.ts";
import { GtidSet } from "../../../lib/sources/mysql/gtid-set.ts";
import { parseMysqlUrl } from "../../../lib/sources/mysql/url.ts";
import { backUp, sourceContext } from "../../support/mysql-engine.ts";
import { connectTo, createUser, startTestMysql, type TestMysql, urlOf } from "../../support/mysql.ts";

const WRITERS = 6;
const ROUNDS = 12;
const NEEDED = ["SELECT, SHOW VIEW, TRIGGER, EVENT ON *.*", "SHOW_ROUTINE ON *.*", "REPLICATION CLIENT ON *.*"];

let server: TestMysql;
let withoutLocks: string;

beforeAll(async () => {
  // Durable commits leave the longest time between a transaction's place in the binlog and its being visible.
  server = await startTestMysql({ sync_binlog: 1, innodb_flush_log_at_trx_commit: 1 });
  withoutLocks = await createUser(server, NEEDED);
  await using connection = await connectTo(server);
  await connection.query(`
    CREATE DATABASE busy;
    CREATE TABLE busy.log (id BIGINT AUTO_INCREMENT PRIMARY KEY, writer INT NOT NULL);
    CREATE TABLE busy.account (id INT PRIMARY KEY, balance INT NOT NULL);
    INSERT INTO busy.account SELECT seq.i, 100 FROM JSON_TABLE('[1,2,3,4,5,6,7,8]', '$[*]' COLUMNS (i INT PATH '$')) AS seq`);
});

afterAll(() => server.stop());

/** Writers that each commit one `log` row a transaction, moving money between accounts in every second one. */
async function whileWriting(work: () => Promise<void>): Promise<void> {
  let stop = false;
  const write = async (writer: number) => {
    await using connection = await connectTo(server, "busy");
    for (let turn = 0; !stop; turn++) {
      const [from, to] = [1 + ((turn + writer) % 8), 1 + ((turn * 3 + writer + 1) % 8)].toSorted((a, b) => a - b);
      const move =
        turn % 2 === 0
          ? ""
          : `UPDATE account SET balance = balance - 5 WHERE id = ${from}; UPDATE account SET balance = balance + 5 WHERE id = ${to};`;
      await connection.query(`BEGIN; INSERT INTO log (writer) VALUES (${writer}); ${move} COMMIT`);
    }
  };
  const writers = Array.from({ length: WRITERS }, (_, index) => write(index));
  try {
    await work();
  } finally {
    stop = true;
    await Promise.all(writers);
  }
}

async function gtidCount(): Promise<bigint> {
  await using connection = await connectTo(server);
  const [rows] = await connection.query("SELECT @@global.gtid_executed AS executed");
  return GtidSet.parse((rows as { executed: string }[])[0]?.executed ?? "").size;
}

async function logRows(): Promise<bigint> {
  await using connection = await connectTo(server, "busy");
  const [rows] = await connection.query("SELECT COUNT(*) AS count FROM log");
  return BigInt((rows as { count: number }[])[0]?.count ?? 0);
}

describe("a snapshot of a busy server", () => {
  it.each([
    ["with the lock where it is had in time", ["lock", "verified"], () => urlOf(server)],
    ["without any lock", ["verified"], () => withoutLocks],
  ])("stands exactly at its GTID set, on all connections, taken %s", async (_, methods, url) => {
    const others = (await gtidCount()) - (await logRows());
    const options = {
      connections: 3,
      selection: { databases: ["busy"], excludeTables: [], users: false },
      signal: new AbortController().signal,
      logger: silentLogger,
    };
    const sizes = new Set<bigint>();
    await whileWriting(async () => {
      for (let round = 0; round < ROUNDS; round++) {
        await using session = await openBackupSession(parseMysqlUrl(url()), options);
        expect(methods).toContain(session.mark.method);
        const committed = GtidSet.parse(session.mark.position.gtidSet).size;
        sizes.add(committed);
        for (const reader of session.readers) {
          const [row] = await reader.query<"log" | "sum">(
            "SELECT (SELECT COUNT(*) FROM busy.log) AS log, (SELECT SUM(balance) FROM busy.account) AS sum",
          );
          // Each transaction since the tables were made has written one row, so both counts are one number.
          expect({ round, log: BigInt(row?.log ?? 0), sum: row?.sum }).toEqual({
            round,
            log: committed - others,
            sum: "800",
          });
        }
      }
    });
    expect(sizes.size).toBeGreaterThan(ROUNDS / 2);
  });

  it("gives a backup whose tables belong together, and says when", async () => {
    const others = (await gtidCount()) - (await logRows());
    await whileWriting(async () => {
      const before = Date.now();
      const { manifest } = await backUp(withoutLocks, { databases: ["busy"] });
      const position = manifest.position as { gtidSet: string; file: string; offset: number };
      const log = manifest.tables.find(({ name }) => name === "log");
      expect(BigInt(log?.rows ?? 0)).toBe(GtidSet.parse(position.gtidSet).size - others);
      expect(position).toMatchObject({ file: expect.stringMatching(/^binlog\.\d+$/), offset: expect.any(Number) });
      expect(Date.parse(manifest.consistentAt)).toBeGreaterThan(before - 1000);
      expect(manifest.consistentAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    });
  });
});

describe("a backup that is stopped", () => {
  it("ends with the reason of the signal, and leaves the server no session", async () => {
    const stop = new AbortController();
    const context = { ...sourceContext(urlOf(server), { databases: ["busy"] }), signal: stop.signal };
    const { backupMysql } = await import("../../../lib/sources/mysql/backup.ts");
    const reason = new Error("asked to stop");
    const writer = {
      id: "x",
      writeBlob: async () => {
        stop.abort(reason);
        throw new Error("the writer noticed, too");
      },
    };
    await expect(backupMysql(context, writer)).rejects.toBe(reason);
    await using connection = await connectTo(server);
    await expect
      .poll(async () => {
        const [rows] = await connection.query(
          "SELECT COUNT(*) AS open FROM performance_schema.session_account_connect_attrs WHERE attr_value = 'resguardo'",
        );
        return (rows as { open: number }[])[0]?.open;
      })
      .toBe(0);
  });
});
