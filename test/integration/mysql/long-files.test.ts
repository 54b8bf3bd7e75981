import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type BinlogEvent,
  CHECKSUM_SIZE,
  EVENT,
  EVENT_FLAG,
  EVENT_HEADER_SIZE,
  EventReader,
} from "../../../lib/sources/mysql/binlog/event.ts";
import { isTransactionHead, readTransactionHead } from "../../../lib/sources/mysql/binlog/gtid-event.ts";
import { LogTracker } from "../../../lib/sources/mysql/binlog/log-tracker.ts";
import { GtidCollector } from "../../../lib/sources/mysql/gtid-set.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";

/*
 * A file of more than 4 GiB would take minutes to write: a real server's events are moved to where they would stand in one, with
 * positions of 32 bits and new checksums, as the server sends them.
 */

const FILE = "binlog.000009";
const LIMIT = 2 ** 32;
/** The limit falls into the third event. */
const START = LIMIT - 200;

let server: TestMysql;
let description: Buffer;
let moved: { bytes: Buffer; end: number; type: number }[];
let executed: string;

beforeAll(async () => {
  server = await startTestMysql();
  await using connection = await connectTo(server);
  await connection.query(
    "CREATE DATABASE shop; CREATE TABLE shop.items (id INT PRIMARY KEY, v TEXT); INSERT INTO shop.items VALUES (1, 'a'); INSERT INTO shop.items VALUES (2, REPEAT('x', 5000))",
  );
  const events = new EventReader().push(await readFile(join(server.dataDir, "binlog.000001")));
  description = Buffer.from(events[0]?.bytes ?? []);
  const logged = events.slice(events.findIndex(({ type }) => isTransactionHead(type)));
  const collector = new GtidCollector();
  for (const event of logged) {
    const gtid = isTransactionHead(event.type) ? readTransactionHead(event).gtid : undefined;
    if (gtid !== undefined) collector.add(gtid);
  }
  executed = collector.toSet().toString();
  let end = START;
  moved = logged.map((event) => ({ bytes: movedTo(event, (end += event.size)), end, type: event.type }));
});
afterAll(async () => {
  await server.stop();
});

function movedTo(event: BinlogEvent, end: number): Buffer {
  const bytes = Buffer.from(event.bytes);
  bytes.writeUInt32LE(end % LIMIT, 13);
  return withChecksum(bytes);
}

/** What the server sends first: in which file it is, and where. */
function rotationTo(position: number): Buffer {
  const name = Buffer.from(FILE);
  const bytes = Buffer.alloc(EVENT_HEADER_SIZE + 8 + name.length + CHECKSUM_SIZE);
  bytes[4] = EVENT.rotate;
  bytes.writeUInt32LE(bytes.length, 9);
  bytes.writeUInt16LE(EVENT_FLAG.artificial, 17);
  bytes.writeBigUInt64LE(BigInt(position), EVENT_HEADER_SIZE);
  name.copy(bytes, EVENT_HEADER_SIZE + 8);
  return withChecksum(bytes);
}

function withChecksum(bytes: Buffer): Buffer {
  const end = bytes.length - CHECKSUM_SIZE;
  bytes.writeUInt32LE(crc32(bytes.subarray(0, end)), end);
  return bytes;
}

/** Feeds the file from `START` on. Returns the bytes that were kept. */
function follow(tracker: LogTracker): Buffer {
  for (const bytes of [rotationTo(START), description]) {
    const [type, size] = [bytes[4] ?? 0, bytes.length];
    const header = { timestamp: 0, type, serverId: 1, size, nextPosition: 0, flags: EVENT_FLAG.artificial };
    tracker.take({ kind: "made-up", header, bytes }, 0, false);
  }
  return Buffer.concat(moved.flatMap(({ bytes }) => tracker.take({ kind: "events", bytes }, 0, false).kept ?? []));
}

describe("a binlog file that grows past 4 GiB", () => {
  it("is followed by its true offsets", () => {
    const tracker = new LogTracker(undefined, true);
    const kept = follow(tracker);
    const offset = moved.at(-1)?.end ?? 0;
    expect(offset).toBeGreaterThan(LIMIT);
    expect(kept.equals(Buffer.concat(moved.map(({ bytes }) => bytes)))).toBe(true);
    expect(tracker.isAtBoundary).toBe(true);
    expect(tracker.added.toString()).toBe(executed);
    expect(tracker.seen).toEqual({ file: FILE, offset });
    expect(tracker.takeStretch()).toMatchObject({
      runs: [{ file: FILE, from: START, to: offset }],
      boundary: { file: FILE, offset },
      unfinishedBytes: 0,
    });
  });

  it("is gone on with behind what was shipped of it past that limit", () => {
    const boundary = moved.findLast(({ type, end }) => type === EVENT.xid && end < (moved.at(-1)?.end ?? 0));
    const place = { file: FILE, offset: boundary?.end ?? 0 };
    expect(place.offset).toBeGreaterThan(LIMIT);
    const tracker = new LogTracker({ end: place, boundary: place }, true);
    const rest = moved.filter(({ end }) => end > place.offset).map(({ bytes }) => bytes);
    expect(follow(tracker).equals(Buffer.concat(rest))).toBe(true);
    expect(tracker.takeStretch().runs).toEqual([{ file: FILE, from: place.offset, to: moved.at(-1)?.end }]);
  });
});
