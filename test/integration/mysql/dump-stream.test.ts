import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BINLOG_MAGIC, EVENT, EventReader } from "../../../lib/sources/mysql/binlog/event.ts";
import type { DumpPiece } from "../../../lib/sources/mysql/binlog/dump-packets.ts";
import { type DumpStart, dumpBinlog } from "../../../lib/sources/mysql/binlog/dump-stream.ts";
import { readRotation } from "../../../lib/sources/mysql/binlog/event-bodies.ts";
import { readEvent } from "../../../lib/sources/mysql/binlog/event.ts";
import { openConnection } from "../../../lib/sources/mysql/connection.ts";
import { GtidSet } from "../../../lib/sources/mysql/gtid-set.ts";
import { parseMysqlUrl } from "../../../lib/sources/mysql/url.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";

const UUID = "5e3f0000-0000-4000-8000-000000000001";
let server: TestMysql;

beforeAll(async () => {
  server = await startTestMysql({ max_allowed_packet: 256 * 1024 * 1024 });
});
afterAll(async () => {
  await server.stop();
});

async function run(sql: string): Promise<void> {
  await using connection = await connectTo(server);
  await connection.query(sql);
}

async function dump(from: DumpStart, follow = false, url = server.url) {
  const connection = await openConnection(parseMysqlUrl(url));
  return dumpBinlog(connection, { from, serverId: 4_000_000_001, replicaUuid: UUID, follow, silenceMs: 5000 });
}

/** The bytes of each file, as they come; what the server makes up for the connection is left out. */
async function filesOf(pieces: AsyncIterable<DumpPiece[]>): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer[]>();
  let current: Buffer[] = [];
  for await (const batch of pieces) {
    for (const piece of batch) {
      if (piece.kind !== "made-up") current.push(Buffer.from(piece.bytes));
      else if (piece.header.type === EVENT.rotate) {
        current = [BINLOG_MAGIC];
        files.set(readRotation(readEvent(piece.bytes, true)).file, current);
      }
    }
  }
  return new Map(Array.from(files, ([name, parts]) => [name, Buffer.concat(parts)]));
}

function typesIn(piece: DumpPiece): number[] {
  if (piece.kind !== "events") return [piece.header.type];
  return new EventReader().push(Buffer.from(piece.bytes)).map(({ type }) => type);
}

async function expectIdentical(files: Map<string, Buffer>): Promise<void> {
  for (const [name, bytes] of files) {
    const expected = await readFile(join(server.dataDir, name));
    expect(bytes.equals(expected), `${name}: ${bytes.length} bytes, the server has ${expected.length}`).toBe(true);
  }
}

describe("the dump of a real server's binary log", () => {
  it("has the bytes of the files, from a position and from a GTID set", async () => {
    await run(`CREATE DATABASE shop; USE shop; CREATE TABLE items (id INT PRIMARY KEY AUTO_INCREMENT, v LONGBLOB);
      INSERT INTO items (v) VALUES ('a'), ('b'); FLUSH BINARY LOGS; INSERT INTO items (v) VALUES ('c');
      SET SESSION binlog_transaction_compression = ON; INSERT INTO items (v) VALUES (REPEAT('d', 1e6));
      FLUSH BINARY LOGS; FLUSH BINARY LOGS`);
    for (const from of [{ file: "binlog.000001", position: 4 }, { gtids: GtidSet.empty }]) {
      const files = await filesOf(await dump(from));
      expect([...files.keys()]).toEqual(["binlog.000001", "binlog.000002", "binlog.000003", "binlog.000004"]);
      files.delete("binlog.000004");
      await expectIdentical(files);
    }
  });

  it("has the same bytes over TLS", async () => {
    const url = `${server.url}?ssl-mode=VERIFY_CA&ssl-ca=${join(server.dataDir, "ca.pem")}`;
    const files = await filesOf(await dump({ gtids: GtidSet.empty }, false, url));
    expect(files.size).toBe(4);
    files.delete("binlog.000004");
    await expectIdentical(files);
  });

  it("hands on events over 16 MiB in parts, also where they fill their packets to the last byte", async () => {
    const start = [...(await filesOf(await dump({ gtids: GtidSet.empty }))).keys()].at(-1) ?? "";
    const overhead = 16 * 1024 * 1024 - 1 - 1 - 19 - 4;
    const sizes = [20_000_000, 40_000_000, ...[-80, -60, -40, -20, 0].map((by) => overhead - 45 + by)];
    for (const size of sizes) await run(`INSERT INTO shop.items (v) VALUES (REPEAT('x', ${size}))`);
    await run("FLUSH BINARY LOGS");
    let longest = 0;
    const connection = await dump({ file: start, position: 4 });
    const seen = async function* () {
      for await (const pieces of connection) {
        for (const piece of pieces) longest = Math.max(longest, piece.bytes.length);
        yield pieces;
      }
    };
    const files = await filesOf(seen());
    await expectIdentical(new Map([...files].slice(0, 1)));
    expect(longest).toBeLessThan(1024 * 1024);
  });

  it("leaves out what is in the set, and says where the server is while nothing happens", async () => {
    await using connection = await connectTo(server);
    const [rows] = await connection.query("SELECT @@gtid_executed AS gtids");
    const gtids = GtidSet.parse(String((rows as { gtids: string }[])[0]?.gtids));
    const types = new Set<number>();
    for await (const pieces of await dump({ gtids }, true)) {
      for (const type of pieces.flatMap(typesIn)) types.add(type);
      if (types.has(EVENT.heartbeat) || types.has(EVENT.heartbeatV2)) break;
    }
    expect(types.has(EVENT.gtid)).toBe(false);
    expect(types.has(EVENT.formatDescription)).toBe(true);
  });

  it("takes a server for lost whose connection carries nothing any more", async () => {
    await using proxy = await startTcpProxy(server.port);
    const url = new URL(server.url);
    url.port = String(proxy.port);
    const pieces = await dump({ gtids: GtidSet.empty }, true, url.href);
    await pieces.next();
    proxy.stall();
    const drained = Array.fromAsync(pieces);
    await expect(drained).rejects.toMatchObject({ code: "SOURCE_CONNECTION_LOST" });
  });

  it("passes on the server's refusal", async () => {
    const pieces = await dump({ file: "binlog.999999", position: 4 });
    await expect(Array.fromAsync(pieces)).rejects.toMatchObject({ code: "SOURCE_QUERY_FAILED" });
  });
});
