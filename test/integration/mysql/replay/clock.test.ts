import { crc32 } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type BinlogEvent,
  CHECKSUM_SIZE,
  EVENT,
  EVENT_HEADER_SIZE,
  readEvent,
} from "../../../../lib/sources/mysql/binlog/event.ts";
import { readTransactionHead } from "../../../../lib/sources/mysql/binlog/gtid-event.ts";
import type { GtidSet } from "../../../../lib/sources/mysql/gtid-set.ts";
import type { LogPiece } from "../../../../lib/sources/mysql/replay/replay.ts";
import { replayScope } from "../../../../lib/sources/mysql/replay/scope.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../../support/mysql.ts";
import { replay } from "../../../support/replay.ts";
import { executedGtids, serverLog } from "../../../support/server-log.ts";

/*
 * A source whose clock jumps. The clock of a test server can't be set, so the commit times in its log are changed on their way
 * to the replay, with new checksums; the times in the events' headers are the session's, and jump further.
 */

/** Behind the flags, the server's UUID, the number, and what tells the order of commits. */
const COMMIT_TIME_AT = EVENT_HEADER_SIZE + 42;
const COMMIT_TIME_BYTES = 7;

let source: TestMysql;
let target: TestMysql;
let from: GtidSet;
let start: bigint;

beforeAll(async () => {
  [source, target] = await Promise.all([startTestMysql(), startTestMysql({ server_id: 2 })]);
  await query(
    source,
    "CREATE DATABASE shop; CREATE TABLE shop.t (a INT PRIMARY KEY, made TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP)",
  );
  await query(
    target,
    "CREATE DATABASE shop; CREATE TABLE shop.t (a INT PRIMARY KEY, made TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP)",
  );
  from = await executedGtids(source);
  start = BigInt(Date.now()) * 1000n;
  await query(
    source,
    `USE shop; SET timestamp = 2000000000; INSERT INTO t (a) VALUES (1); SET timestamp = 1; INSERT INTO t (a) VALUES (2);
    SET timestamp = DEFAULT; INSERT INTO t (a) VALUES (3)`,
  );
});
afterAll(async () => {
  await Promise.all([source.stop(), target.stop()]);
});

async function query(server: TestMysql, sql: string): Promise<unknown> {
  await using connection = await connectTo(server);
  const [rows] = await connection.query({ sql, rowsAsArray: true });
  return rows;
}

/** The log, with these commit times of the transactions after `from`, in seconds after the start. */
async function* withCommitTimes(seconds: readonly number[]): AsyncGenerator<LogPiece> {
  const left = [...seconds];
  for await (const { file, events } of serverLog(source)) {
    yield { file, events: events.map((event) => (isLater(event) ? committedAt(event, left.shift() ?? 0) : event)) };
  }
}

function isLater(event: BinlogEvent): boolean {
  if (event.type !== EVENT.gtid) return false;
  const { gtid } = readTransactionHead(event);
  return gtid !== undefined && !from.contains(gtid);
}

function committedAt(event: BinlogEvent, seconds: number): BinlogEvent {
  const bytes = Buffer.from(event.bytes);
  const micros = start + BigInt(seconds * 1_000_000);
  bytes.writeUIntLE(Number(micros & 0xff_ffffn), COMMIT_TIME_AT, 3);
  bytes.writeUIntLE(Number(micros >> 24n), COMMIT_TIME_AT + 3, COMMIT_TIME_BYTES - 3);
  const end = bytes.length - CHECKSUM_SIZE;
  bytes.writeUInt32LE(crc32(bytes.subarray(0, end)), end);
  return readEvent(bytes, true);
}

describe("a log of a clock that was set back", () => {
  it.each([
    [4, []],
    [5, [1, 2]],
    [6, [1, 2]],
    [7, [1, 2, 3]],
  ])("holds at second %i what was committed up to the first transaction past it: %j", async (second, expected) => {
    await query(target, "DELETE FROM shop.t; DROP DATABASE IF EXISTS resguardo_restore_clock");
    const request = { from, checkpointSchema: "resguardo_restore_clock", scope: replayScope({ schemas: ["shop"] }) };
    const stop = { kind: "time", micros: start + BigInt(second) * 1_000_000n } as const;
    await replay(source, target, { ...request, log: withCommitTimes([5, 3, 7]), stop });
    const found = (await query(target, "SELECT a FROM shop.t ORDER BY a")) as number[][];
    expect(found.flat()).toEqual(expected);
    // Values are the session's that wrote them, whatever the clocks say.
    expect(await query(target, "SELECT UNIX_TIMESTAMP(made) FROM shop.t WHERE a = 2")).toEqual(
      expected.length > 1 ? [[1]] : [],
    );
  });
});
