import { Readable } from "node:stream";
import type { RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  readTransactionHead,
  isTransactionHead,
  type TransactionHead,
} from "../../../../lib/sources/mysql/binlog/gtid-event.ts";
import { formatGtid, type Gtid, GtidSet } from "../../../../lib/sources/mysql/gtid-set.ts";
import type { LogPiece } from "../../../../lib/sources/mysql/replay/replay.ts";
import { EVENT } from "../../../../lib/sources/mysql/binlog/event.ts";
import { readMapping } from "../../../../lib/sources/mysql/mapping.ts";
import { replayScope } from "../../../../lib/sources/mysql/replay/scope.ts";
import type { SchemaModel } from "../../../../lib/sources/mysql/schema-model.ts";
import { connectTo, createUser, startTestMysql, type TestMysql } from "../../../support/mysql.ts";
import { parseMysqlUrl } from "../../../../lib/sources/mysql/url.ts";
import { replay, type TestReplay } from "../../../support/replay.ts";
import { executedGtids, serverLog, tableStates } from "../../../support/server-log.ts";

let source: TestMysql;
let target: TestMysql;
let count = 0;

beforeAll(async () => {
  [source, target] = await Promise.all([
    startTestMysql({ max_allowed_packet: "64M" }),
    startTestMysql({ server_id: 2, max_allowed_packet: "4M", log_bin_trust_function_creators: "ON" }),
  ]);
});

afterAll(async () => {
  await Promise.all([source.stop(), target.stop()]);
});

async function query(server: TestMysql, sql: string, database?: string): Promise<RowDataPacket[]> {
  await using connection = await connectTo(server, database);
  const [rows] = await connection.query<RowDataPacket[]>(sql);
  return rows;
}

/** A schema of its own on the source, and a replay of all that is done to it from here on. */
async function inSchema(
  script: string,
): Promise<{ schema: string; restore: (more?: Partial<TestReplay>) => ReturnType<typeof replay> }> {
  count += 1;
  const schema = `case_${count}`;
  const from = await executedGtids(source);
  await query(source, `CREATE DATABASE ${schema}; USE ${schema}; ${script}`);
  const scope = replayScope({ schemas: [schema] });
  const restore = (more: Partial<TestReplay> = {}): ReturnType<typeof replay> =>
    replay(source, target, { from, scope, checkpointSchema: `resguardo_restore_${schema}`, ...more });
  return { schema, restore };
}

async function headsSince(from: Awaited<ReturnType<typeof executedGtids>>): Promise<TransactionHead[]> {
  const heads: TransactionHead[] = [];
  for await (const { events } of serverLog(source)) {
    for (const event of events) if (isTransactionHead(event.type)) heads.push(readTransactionHead(event));
  }
  return heads.filter(({ gtid }) => gtid !== undefined && !from.contains(gtid));
}

async function lastGtid(): Promise<Gtid> {
  const heads = await headsSince(GtidSet.empty);
  const gtid = heads.at(-1)?.gtid;
  if (gtid === undefined) throw new Error("no transaction in the log");
  return gtid;
}

/** The source's log up to right before the last commit in it. */
async function* withoutLastCommit(): AsyncGenerator<LogPiece> {
  const pieces: LogPiece[] = [];
  for await (const piece of serverLog(source)) pieces.push(piece);
  const last = pieces.at(-1);
  if (last === undefined) return;
  yield* pieces.slice(0, -1);
  yield {
    ...last,
    events: last.events.slice(
      0,
      last.events.findLastIndex(({ type }) => type === EVENT.xid),
    ),
  };
}

async function* withChangedByte(): AsyncGenerator<LogPiece> {
  for await (const piece of serverLog(source)) {
    const event = piece.events.findLast(({ type }) => type === EVENT.writeRows);
    if (event !== undefined) event.bytes[event.bytes.length - 5] = (event.bytes.at(-5) ?? 0) ^ 1;
    yield piece;
  }
}

async function expectSame(schema: string): Promise<void> {
  expect(await tableStates(target, [schema])).toEqual(await tableStates(source, [schema]));
}

describe("replaying", () => {
  it("stops right before a transaction, and goes on to right after it", async () => {
    const { schema, restore } = await inSchema(
      "CREATE TABLE t (a INT PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)",
    );
    await query(source, `DELETE FROM ${schema}.t WHERE a < 3`);
    const gtid = await lastGtid();
    await query(source, `INSERT INTO ${schema}.t VALUES (9)`);
    expect(await restore({ stop: { kind: "before", gtid } })).toMatchObject({ reachedStop: true, resumed: false });
    expect(await query(target, `SELECT a FROM ${schema}.t ORDER BY a`)).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
    expect(await restore({ stop: { kind: "after", gtid } })).toMatchObject({
      reachedStop: true,
      resumed: true,
      transactions: 1,
    });
    expect(await query(target, `SELECT a FROM ${schema}.t`)).toEqual([{ a: 3 }]);
    expect(await restore({ stop: { kind: "after", gtid } })).toMatchObject({ reachedStop: true, transactions: 0 });
    await expect(restore({ stop: { kind: "before", gtid } })).rejects.toMatchObject({ code: "TIME_OUTSIDE_WINDOW" });
  });

  it("stops at a time to the microsecond, between two transactions", async () => {
    const from = await executedGtids(source);
    const { schema, restore } = await inSchema("CREATE TABLE t (a INT PRIMARY KEY)");
    for (let a = 0; a < 20; a++) await query(source, `INSERT INTO ${schema}.t VALUES (${a})`);
    const heads = await headsSince(from);
    const [wanted, next] = heads.slice(-8);
    if (wanted === undefined || next === undefined) throw new Error("the log is too short");
    expect(next.immediateCommitMicros).toBeGreaterThan(wanted.immediateCommitMicros);
    await restore({ stop: { kind: "time", micros: next.immediateCommitMicros - 1n } });
    expect(await query(target, `SELECT MAX(a) AS last FROM ${schema}.t`)).toEqual([{ last: 12 }]);
    await restore({ stop: { kind: "time", micros: next.immediateCommitMicros } });
    expect(await query(target, `SELECT MAX(a) AS last FROM ${schema}.t`)).toEqual([{ last: 13 }]);
  });

  it("says so when the log does not hold the transaction to stop at", async () => {
    const { restore } = await inSchema("CREATE TABLE t (a INT PRIMARY KEY)");
    const gtid = { ...(await lastGtid()), number: 999_999n };
    await expect(restore({ stop: { kind: "after", gtid } })).rejects.toMatchObject({ code: "TIME_OUTSIDE_WINDOW" });
  });

  it("replays a transaction larger than the target's max_allowed_packet as one transaction", async () => {
    const rows =
      "WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 20000) SELECT i, REPEAT('x', 1000) FROM s";
    const { schema, restore } = await inSchema(
      `SET cte_max_recursion_depth = 20000; CREATE TABLE t (a INT PRIMARY KEY, v TEXT); INSERT INTO t ${rows}; UPDATE t SET v = CONCAT(v, a)`,
    );
    expect((await restore()).rowEvents).toBeGreaterThan(1000);
    await expectSame(schema);
  });

  it.each([
    ["small", 10],
    ["large", 20_000],
  ])("takes nothing of a %s transaction whose end the log lacks, and all of it later", async (_, rows) => {
    const { schema, restore } = await inSchema(
      "CREATE TABLE t (a INT PRIMARY KEY, v TEXT); INSERT INTO t VALUES (0, 'before')",
    );
    await query(
      source,
      `SET cte_max_recursion_depth = 20000; INSERT INTO ${schema}.t WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ${rows}) SELECT i, REPEAT('x', 1000) FROM s`,
    );
    expect(await restore({ log: withoutLastCommit() })).toMatchObject({ transactions: 3 });
    expect(await query(target, `SELECT a, v FROM ${schema}.t`)).toEqual([{ a: 0, v: "before" }]);
    expect(await restore()).toMatchObject({ resumed: true, transactions: 1 });
    await expectSame(schema);
  });

  it("replays partial JSON, minimal row images, tagged GTIDs, compressed transactions and logged query texts", async () => {
    const { schema, restore } = await inSchema(`
      CREATE TABLE t (a INT PRIMARY KEY, doc JSON, blob_ LONGBLOB, spare INT DEFAULT 3);
      INSERT INTO t (a, doc, blob_) VALUES (1, JSON_OBJECT('n', 1, 'long', REPEAT('x', 500)), 'b'), (2, '[1, 2, 3]', NULL);
      SET binlog_row_value_options = 'PARTIAL_JSON', binlog_rows_query_log_events = ON;
      UPDATE t SET doc = JSON_SET(doc, '$.n', 2), spare = 4 WHERE a = 1; UPDATE t SET doc = JSON_REMOVE(doc, '$[1]') WHERE a = 2;
      SET binlog_row_image = 'MINIMAL'; UPDATE t SET spare = 5 WHERE a = 2; UPDATE t SET doc = JSON_REPLACE(doc, '$.n', 9) WHERE a = 1;
      INSERT INTO t (a) VALUES (3), (4); DELETE FROM t WHERE a = 4;
      SET binlog_row_image = 'NOBLOB'; UPDATE t SET spare = 6 WHERE a = 1;
      SET binlog_transaction_compression = ON; BEGIN; UPDATE t SET blob_ = REPEAT('z', 100000); INSERT INTO t (a) VALUES (7); COMMIT;
      SET gtid_next = 'AUTOMATIC:tagged'; INSERT INTO t (a) VALUES (8); SET gtid_next = 'AUTOMATIC'`);
    const { done } = await restore();
    expect(done.toString()).toContain(":tagged:1");
    await expectSame(schema);
  });

  it("refuses a log with a changed byte", async () => {
    const { restore } = await inSchema("CREATE TABLE t (a INT PRIMARY KEY); INSERT INTO t VALUES (1)");
    await expect(restore({ log: withChangedByte() })).rejects.toMatchObject({ code: "SOURCE_PROTOCOL" });
  });

  it("refuses a single row that needs a larger packet than the target takes, and goes on once it takes it", async () => {
    const { schema, restore } = await inSchema(
      "CREATE TABLE t (a INT PRIMARY KEY, v LONGTEXT); INSERT INTO t VALUES (1, REPEAT('x', 6000000))",
    );
    await expect(restore()).rejects.toMatchObject({ code: "TARGET_UNSUITABLE" });
    await query(target, "SET GLOBAL max_allowed_packet = 67108864");
    try {
      expect(await restore()).toMatchObject({ resumed: true });
    } finally {
      await query(target, "SET GLOBAL max_allowed_packet = 4194304");
    }
    await expectSame(schema);
  });

  it("cascades once where the source logged the rows of its cascades, and fires no trigger twice", async () => {
    const { schema, restore } = await inSchema(`
      CREATE TABLE p (a INT PRIMARY KEY);
      CREATE TABLE c (a INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (a) ON DELETE CASCADE ON UPDATE SET NULL);
      CREATE TABLE log (what VARCHAR(20));
      CREATE TRIGGER added AFTER INSERT ON c FOR EACH ROW INSERT INTO log VALUES ('added');
      CREATE TRIGGER removed AFTER DELETE ON c FOR EACH ROW INSERT INTO log VALUES ('removed');
      INSERT INTO p VALUES (1), (2), (3), (4);
      INSERT INTO c VALUES (10, 1), (20, 2), (30, 3), (31, 3);
      SET foreign_key_checks = 0; DELETE FROM p WHERE a = 2; SET foreign_key_checks = 1;
      DELETE FROM p WHERE a = 1;
      UPDATE p SET a = 33 WHERE a = 3;
      SET binlog_format = 'STATEMENT'; INSERT INTO c VALUES (40, 4); DELETE FROM p WHERE a = 4; SET binlog_format = 'ROW';
      BEGIN; DELETE FROM c WHERE a = 30; SET foreign_key_checks = 0; INSERT INTO c VALUES (50, 999); SET foreign_key_checks = 1; DELETE FROM p; COMMIT;
    `);
    await restore();
    await expectSame(schema);
    expect(
      await query(target, `SELECT what, COUNT(*) AS times FROM ${schema}.log GROUP BY what ORDER BY what`),
    ).toEqual(await query(source, `SELECT what, COUNT(*) AS times FROM ${schema}.log GROUP BY what ORDER BY what`));
  });

  it("cascades by the target's engine what the source's engine cascaded and did not log", async () => {
    await using old = await startTestMysql({ innodb_native_foreign_keys: "ON" });
    await query(
      old,
      `CREATE DATABASE native; USE native; CREATE TABLE p (a INT PRIMARY KEY);
       CREATE TABLE c (a INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (a) ON DELETE CASCADE ON UPDATE CASCADE);
       INSERT INTO p VALUES (1), (2), (3); INSERT INTO c VALUES (10, 1), (20, 2), (30, 3);
       DELETE FROM p WHERE a = 1; UPDATE p SET a = 22 WHERE a = 2;
       SET foreign_key_checks = 0; DELETE FROM p WHERE a = 3; INSERT INTO c VALUES (40, 4); SET foreign_key_checks = 1;
       INSERT INTO p VALUES (5); INSERT INTO c VALUES (50, 5); DELETE FROM p WHERE a = 5`,
    );
    await replay(old, target, { from: GtidSet.empty, checkpointSchema: "resguardo_restore_native" });
    expect(await query(target, "SELECT a, p FROM native.c ORDER BY a")).toEqual([
      { a: 20, p: 22 },
      { a: 30, p: 3 },
      { a: 40, p: 4 },
    ]);
    expect(await tableStates(target, ["native"])).toEqual(await tableStates(old, ["native"]));
  });

  it("leaves other schemas and accounts out, and lists what it left out", async () => {
    const { schema, restore } = await inSchema("CREATE TABLE t (a INT PRIMARY KEY); INSERT INTO t VALUES (1)");
    await query(
      source,
      `CREATE DATABASE ${schema}_other; CREATE TABLE ${schema}_other.t (a INT); INSERT INTO ${schema}_other.t VALUES (1)`,
    );
    await query(source, `CREATE USER ${schema}; DROP USER ${schema}`);
    const report = await restore();
    expect(report.leftOut.map(({ reason, statements }) => ({ reason, statements }))).toEqual([
      { reason: "other schemas", statements: 2 },
      { reason: "accounts are not restored", statements: 2 },
    ]);
    expect(await query(target, `SHOW DATABASES LIKE '${schema}%'`)).toHaveLength(1);
    await expectSame(schema);
  });

  it("leaves a prepared XA transaction prepared, and names it", async () => {
    const { schema, restore } = await inSchema(
      "CREATE TABLE t (a INT PRIMARY KEY); XA START 'left', 'b', 7; INSERT INTO t VALUES (1); XA END 'left', 'b', 7; XA PREPARE 'left', 'b', 7",
    );
    expect((await restore()).preparedXa).toEqual(["X'6c656674',X'62',7"]);
    await query(source, "XA COMMIT 'left', 'b', 7");
    expect((await restore()).preparedXa).toEqual([]);
    await expectSame(schema);
  });

  it("loads the files of LOAD DATA in statement format again", async () => {
    const { schema, restore } = await inSchema("CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(100), c INT DEFAULT 7)");
    const lines = (from: number, howMany: number): string =>
      Array.from({ length: howMany }, (_, n) => `${from + n}\t${"é".repeat(n % 40)}\n`).join("");
    await using loader = await connectTo(source, schema);
    await loader.query("SET binlog_format = 'STATEMENT'");
    for (const [into, text] of [
      ["INTO TABLE t", lines(1, 20_000)],
      ["REPLACE INTO TABLE t", lines(10, 5)],
    ]) {
      await loader.query({
        sql: `LOAD DATA LOCAL INFILE 'x' ${into} CHARACTER SET utf8mb4 (a, @b) SET b = UPPER(@b)`,
        infileStreamFactory: () => Readable.from([Buffer.from(text ?? "")]),
      });
    }
    await restore();
    await expectSame(schema);
    expect(await query(target, `SELECT COUNT(*) AS loaded FROM ${schema}.t`)).toEqual([{ loaded: 20_000 }]);
  });

  it("brings scheduled events back disabled", async () => {
    const { schema, restore } = await inSchema(`
      CREATE TABLE t (a INT);
      CREATE EVENT often ON SCHEDULE EVERY 1 SECOND ENABLE COMMENT 'ENABLE' DO INSERT INTO t VALUES (1);
      CREATE EVENT plain ON SCHEDULE EVERY 1 SECOND DO INSERT INTO t VALUES (1);
      CREATE EVENT idle ON SCHEDULE EVERY 1 SECOND DISABLE DO INSERT INTO t VALUES (1);
      ALTER EVENT idle ENABLE; ALTER EVENT often DISABLE; ALTER EVENT often RENAME TO still_often`);
    await restore();
    const statuses = `SELECT event_name AS name, status AS status FROM information_schema.events WHERE event_schema = '${schema}' ORDER BY 1`;
    expect(await query(target, statuses)).toEqual(
      ["idle", "plain", "still_often"].map((name) => ({ name, status: "DISABLED" })),
    );
    await query(source, `DROP DATABASE ${schema}`);
  });

  it("says near which transaction the target refused something", async () => {
    const { schema, restore } = await inSchema("CREATE TABLE t (a INT PRIMARY KEY); INSERT INTO t VALUES (1)");
    await restore();
    await query(target, `DROP TABLE ${schema}.t`);
    await query(source, `INSERT INTO ${schema}.t VALUES (2)`);
    const gtid = formatGtid(await lastGtid());
    await expect(restore()).rejects.toMatchObject({
      code: "RESTORE_FAILED",
      message: `replaying, at or before transaction ${gtid}: server error 1146 (SQLSTATE 42S02)`,
    });
  });

  it("is content with these privileges, where creators of triggers are trusted", async () => {
    const { schema, restore } = await inSchema(`
      CREATE TABLE t (a INT PRIMARY KEY AUTO_INCREMENT, b VARCHAR(50)); INSERT INTO t (b) VALUES ('x'); ALTER TABLE t ADD COLUMN c INT;
      CREATE VIEW v AS SELECT a FROM t; CREATE PROCEDURE p() SELECT 1; CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.c = 1;
      SET binlog_format = 'STATEMENT'; INSERT INTO t (b) VALUES (RAND()); SET binlog_format = 'ROW'; DELETE FROM t WHERE a = 1`);
    const url = await createUser(target, [
      "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES, TRIGGER, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, EVENT, CREATE TEMPORARY TABLES ON *.*",
      "BINLOG_ADMIN, SESSION_VARIABLES_ADMIN, SET_ANY_DEFINER, SYSTEM_USER ON *.*",
    ]);
    expect(await restore({ target: parseMysqlUrl(url) })).toMatchObject({ preparedXa: [] });
    await expectSame(schema);
  });

  it("writes the target's binlog only when told to", async () => {
    const { restore } = await inSchema("CREATE TABLE t (a INT PRIMARY KEY); INSERT INTO t VALUES (1)");
    const before = await executedGtids(target);
    await restore();
    expect((await executedGtids(target)).equals(before)).toBe(true);
    const { schema, restore: restoreLogged } = await inSchema(
      "CREATE TABLE t (a INT PRIMARY KEY); INSERT INTO t VALUES (1)",
    );
    await restoreLogged({ targetBinlog: "on" });
    expect((await executedGtids(target)).equals(before)).toBe(false);
    await expectSame(schema);
  });

  it("goes on by file and position where the source has no GTIDs", async () => {
    await using plain = await startTestMysql({
      gtid_mode: "OFF",
      enforce_gtid_consistency: "OFF",
      binlog_checksum: "NONE",
    });
    await query(
      plain,
      "CREATE DATABASE anonymous; CREATE TABLE anonymous.t (a INT PRIMARY KEY); INSERT INTO anonymous.t VALUES (1)",
    );
    const request = { from: await executedGtids(plain), checkpointSchema: "resguardo_restore_anonymous" };
    await replay(plain, target, request);
    await query(
      plain,
      "FLUSH BINARY LOGS; INSERT INTO anonymous.t VALUES (2); FLUSH BINARY LOGS; UPDATE anonymous.t SET a = a + 10",
    );
    expect(await replay(plain, target, request)).toMatchObject({ resumed: true, transactions: 2 });
    expect(await query(target, "SELECT a FROM anonymous.t ORDER BY a")).toEqual([{ a: 11 }, { a: 12 }]);
  });
});

describe("replaying under other names", () => {
  const modelOf = (schema: string, tables: string[]): SchemaModel =>
    ({ schemas: [{ name: schema }], tables: tables.map((name) => ({ schema, name })) }) as unknown as SchemaModel;

  it("renames a schema in rows and in statements", async () => {
    const { schema, restore } = await inSchema("CREATE TABLE t (a INT PRIMARY KEY); INSERT INTO t VALUES (1)");
    const to = `${schema}_new`;
    await query(
      source,
      `ALTER TABLE ${schema}.t ADD COLUMN b INT DEFAULT 5; USE ${schema}; CREATE TABLE u (a INT, FOREIGN KEY (a) REFERENCES ${schema}.t (a));
       INSERT INTO u VALUES (1); RENAME TABLE u TO v; CREATE INDEX i ON t (b); CREATE VIEW seen AS SELECT a FROM t;
       SET binlog_format = 'STATEMENT'; INSERT INTO t (a) VALUES (2); CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.b = 7;`,
    );
    const mapping = readMapping(modelOf(schema, []), new Map([[schema, to]]));
    await restore({ scope: replayScope({ schemas: [schema], mapping }) });
    expect(await query(target, `SELECT a, b FROM ${to}.t ORDER BY a`)).toEqual([
      { a: 1, b: 5 },
      { a: 2, b: 5 },
    ]);
    expect(await query(target, `SELECT a FROM ${to}.v`)).toEqual([{ a: 1 }]);
    expect(await query(target, `SHOW DATABASES LIKE '${schema}'`)).toEqual([]);
  });

  it("refuses a statement that names the old schema, unless it may be left out", async () => {
    const { schema, restore } = await inSchema("CREATE TABLE t (a INT PRIMARY KEY)");
    await query(source, `USE ${schema}; CREATE PROCEDURE p() DELETE FROM ${schema}.t; INSERT INTO t VALUES (1)`);
    const mapping = readMapping(modelOf(schema, []), new Map([[schema, `${schema}_new`]]));
    const scope = replayScope({ schemas: [schema], mapping });
    await expect(restore({ scope })).rejects.toMatchObject({ code: "RESTORE_FAILED" });
    const report = await restore({ scope, leaveOutRefused: true });
    expect(report.leftOut).toMatchObject([{ statements: 1, reason: `it names the schema \`${schema}\`` }]);
    expect(await query(target, `SELECT a FROM ${schema}_new.t`)).toEqual([{ a: 1 }]);
  });

  it("restores one table of many under another name", async () => {
    const { schema, restore } = await inSchema(
      "CREATE TABLE t (a INT PRIMARY KEY); CREATE TABLE u (a INT PRIMARY KEY)",
    );
    await query(
      source,
      `USE ${schema}; INSERT INTO t VALUES (1); INSERT INTO u VALUES (1); ALTER TABLE u ADD COLUMN b INT; ALTER TABLE t ADD COLUMN c INT DEFAULT 3; DROP TABLE u`,
    );
    const tables = [{ schema, name: "t" }];
    const mapping = readMapping(modelOf(schema, ["t", "u"]), new Map([[`${schema}.t`, "t_restored"]]));
    await query(target, `CREATE DATABASE ${schema}`);
    const report = await restore({ scope: replayScope({ schemas: [], tables, mapping }), leaveOutRefused: true });
    expect(report.leftOut.map(({ reason }) => reason).toSorted()).toContain("other tables");
    expect(await query(target, `SELECT * FROM ${schema}.t_restored`)).toEqual([{ a: 1, c: 3 }]);
    expect(await query(target, `SHOW TABLES FROM ${schema}`)).toHaveLength(1);
  });
});
