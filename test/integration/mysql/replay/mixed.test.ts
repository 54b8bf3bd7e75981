import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EVENT } from "../../../../lib/sources/mysql/binlog/event.ts";
import { isRowsEvent } from "../../../../lib/sources/mysql/binlog/row-events.ts";
import { type Gtid, type GtidSet, parseGtid } from "../../../../lib/sources/mysql/gtid-set.ts";
import { replayScope } from "../../../../lib/sources/mysql/replay/scope.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../../support/mysql.ts";
import { replay } from "../../../support/replay.ts";
import { executedGtids, serverLog, tableStates } from "../../../support/server-log.ts";

let source: TestMysql;
let target: TestMysql;

beforeAll(async () => {
  [source, target] = await Promise.all([startTestMysql(), startTestMysql({ server_id: 2 })]);
});
afterAll(async () => {
  await Promise.all([source.stop(), target.stop()]);
});

async function run(sql: string): Promise<void> {
  await using connection = await connectTo(source);
  await connection.query(sql);
}

const request = (schema: string, from: GtidSet) => ({
  from,
  scope: replayScope({ schemas: [schema] }),
  checkpointSchema: `resguardo_restore_${schema}`,
});

/** What the log holds of rows, of statements that insert, and of what was logged in front of statements. */
async function countLogged(): Promise<{ rows: number; statements: number; context: number }> {
  const found = { rows: 0, statements: 0, context: 0 };
  for await (const { events } of serverLog(source)) {
    for (const { type, body } of events) {
      if (isRowsEvent(type)) found.rows++;
      if (type === EVENT.query && body.includes("INSERT INTO t ")) found.statements++;
      if (type === EVENT.intvar || type === EVENT.rand || type === EVENT.userVar) found.context++;
    }
  }
  return found;
}

describe("a log in mixed format", () => {
  it("is replayed as rows where the source logged rows, and as statements in their session where it logged those", async () => {
    const from = await executedGtids(source);
    await run(`CREATE DATABASE mixed CHARACTER SET utf8mb4; USE mixed; SET NAMES utf8mb4;
      CREATE TABLE t (a INT AUTO_INCREMENT PRIMARY KEY, b VARCHAR(100), c TIMESTAMP(6) NULL DEFAULT CURRENT_TIMESTAMP(6));
      SET SESSION binlog_format = MIXED, time_zone = '+05:30', sql_mode = 'ANSI_QUOTES', auto_increment_increment = 7;
      INSERT INTO t (b) VALUES (UUID()); SET @v = 'é'; INSERT INTO t (b) VALUES (@v); INSERT INTO t (b) VALUES (NOW(6));
      INSERT INTO t (b) VALUES (RAND()); INSERT INTO t (b) SELECT LAST_INSERT_ID(); INSERT INTO t (b) VALUES ("b"), ("c");
      UPDATE t SET b = CONCAT(b, CURRENT_USER()) WHERE a < 10; DELETE FROM t ORDER BY a DESC LIMIT 1`);
    for (const count of Object.values(await countLogged())) expect(count).toBeGreaterThan(0);
    await replay(source, target, request("mixed", from));
    expect(await tableStates(target, ["mixed"])).toEqual(await tableStates(source, ["mixed"]));
  });
});

describe("temporary tables of statement format", () => {
  it("live on across the files of a log, and a replay that was interrupted among them starts over", async () => {
    const from = await executedGtids(source);
    await run("CREATE DATABASE temp; CREATE TABLE temp.t (a INT PRIMARY KEY)");
    await using session = await connectTo(source, "temp");
    await session.query(
      "SET SESSION binlog_format = STATEMENT; CREATE TEMPORARY TABLE scratch (a INT); INSERT INTO scratch VALUES (1), (2)",
    );
    const open = await lastGtid();
    await run("FLUSH BINARY LOGS");
    await session.query("INSERT INTO t SELECT a FROM scratch; DROP TEMPORARY TABLE scratch");

    const whole = request("temp", from);
    await replay(source, target, whole);
    expect(await tableStates(target, ["temp"])).toEqual(await tableStates(source, ["temp"]));

    await using connection = await connectTo(target);
    await connection.query(`DROP DATABASE temp; DROP DATABASE ${whole.checkpointSchema}`);
    await replay(source, target, { ...whole, stop: { kind: "after", gtid: open } });
    await expect(replay(source, target, whole)).rejects.toMatchObject({ code: "RESTORE_FAILED" });
  });
});

/** Of the last transaction, which is the only one of its kind. */
async function lastGtid(): Promise<Gtid> {
  const text = (await executedGtids(source)).toString();
  return parseGtid(text.replace(/:.*?(\d+)$/, ":$1"));
}
