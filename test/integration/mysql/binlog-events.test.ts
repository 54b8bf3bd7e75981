import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BinlogEvent, EVENT, EventReader } from "../../../lib/sources/mysql/binlog/event.ts";
import {
  readIntegerVariable,
  readPreviousGtids,
  readRotation,
  readRowsQuery,
  readUserVariable,
  readXaPrepare,
  readXid,
} from "../../../lib/sources/mysql/binlog/event-bodies.ts";
import { isTransactionHead, readTransactionHead } from "../../../lib/sources/mysql/binlog/gtid-event.ts";
import { openPayload } from "../../../lib/sources/mysql/binlog/payload-event.ts";
import { readQuery } from "../../../lib/sources/mysql/binlog/query-event.ts";
import { isRowsEvent, readRows, readTableMap } from "../../../lib/sources/mysql/binlog/row-events.ts";
import { GtidCollector, GtidSet } from "../../../lib/sources/mysql/gtid-set.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { seededRandom } from "../../support/random.ts";

let server: TestMysql;
let bytes: Buffer;
let events: BinlogEvent[];
let executed: GtidSet;

const SCRIPT = `CREATE DATABASE shop; USE shop; CREATE TABLE items (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200), j JSON);
  SET SESSION binlog_rows_query_log_events = ON, binlog_row_value_options = 'PARTIAL_JSON';
  INSERT INTO items (v, j) VALUES ('a', '{"a": 1, "b": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}');
  UPDATE items SET j = JSON_SET(j, '$.a', 2) WHERE id = 1; DELETE FROM items WHERE id = 1;
  SET gtid_next = 'AUTOMATIC:tag'; INSERT INTO items (v) VALUES ('tagged'); SET gtid_next = 'AUTOMATIC';
  SET SESSION binlog_transaction_compression = ON; INSERT INTO items (v) VALUES (REPEAT('z', 150));
  SET SESSION binlog_transaction_compression = OFF, binlog_format = 'STATEMENT', time_zone = '+03:00', @u = 'hé';
  INSERT INTO items (v) VALUES (CONCAT(@u, NOW())); SET SESSION binlog_format = 'ROW';
  XA START 'global', 'branch', 7; INSERT INTO items (v) VALUES ('xa'); XA END 'global', 'branch', 7;
  XA PREPARE 'global', 'branch', 7; XA COMMIT 'global', 'branch', 7; FLUSH BINARY LOGS`;

beforeAll(async () => {
  server = await startTestMysql();
  await using connection = await connectTo(server);
  await connection.query(SCRIPT);
  const [rows] = await connection.query("SELECT @@gtid_executed AS gtids");
  executed = GtidSet.parse(String((rows as { gtids: string }[])[0]?.gtids));
  bytes = await readFile(join(server.dataDir, "binlog.000001"));
  events = new EventReader().push(bytes);
});
afterAll(async () => {
  await server.stop();
});

const ofType = (type: number): BinlogEvent[] => events.filter((event) => event.type === type);

function first(type: number): BinlogEvent {
  const [event] = ofType(type);
  if (event === undefined) throw new Error(`no event of type ${type}`);
  return event;
}

describe("the events of a real server's binary log", () => {
  it("are the same whatever the pieces are that they are read from", () => {
    const random = seededRandom(7);
    const reader = new EventReader();
    const found: BinlogEvent[] = [];
    for (let offset = 0; offset < bytes.length;) {
      const end = offset + 1 + Math.floor(random() * 200);
      found.push(...reader.push(bytes.subarray(offset, end)));
      offset = end;
    }
    reader.end();
    expect(found.map(({ bytes: event }) => event.toString("hex"))).toEqual(
      events.map(({ bytes: event }) => event.toString("hex")),
    );
    expect(() => {
      const cut = new EventReader();
      cut.push(bytes.subarray(0, -1));
      cut.end();
    }).toThrow(expect.objectContaining({ code: "SOURCE_PROTOCOL" }));
  });

  it("name every transaction, with its length and its times", () => {
    const collector = new GtidCollector();
    for (const event of events.filter(({ type }) => isTransactionHead(type))) {
      const head = readTransactionHead(event);
      if (head.gtid !== undefined) collector.add(head.gtid);
      const end = event.nextPosition - event.size + Number(head.transactionLength);
      expect(events.some(({ nextPosition }) => nextPosition === end)).toBe(true);
      expect(Math.abs(Number(head.immediateCommitMicros / 1000n) - Date.now())).toBeLessThan(600_000);
      expect(head.originalCommitMicros).toBe(head.immediateCommitMicros);
    }
    expect(collector.toSet().toString()).toBe(executed.toString());
    expect(ofType(EVENT.gtidTagged)).toHaveLength(1);
  });

  it("tell rows: what happened, to which table, by which statement", () => {
    const kinds = events.filter(({ type }) => isRowsEvent(type)).map((event) => readRows(event));
    expect(kinds.map(({ kind }) => kind)).toEqual(["insert", "update", "delete", "insert", "insert"]);
    expect(kinds.map(({ isPartial }) => isPartial)).toEqual([false, true, false, false, false]);
    const map = readTableMap(first(EVENT.tableMap));
    expect(map).toMatchObject({ schema: "shop", table: "items", tableId: kinds[0]?.tableId });
    expect(map.columnTypes).toHaveLength(3);
    expect(readRowsQuery(first(EVENT.rowsQuery))).toMatch(/^INSERT INTO items \(v, j\)/);
    expect(readXid(first(EVENT.xid))).toBeGreaterThan(0n);
  });

  it("hold a statement's session, and the variables that it uses", () => {
    const statement = ofType(EVENT.query)
      .map((event) => readQuery(event))
      .find(({ sql }) => sql.toString().startsWith("INSERT"));
    expect(statement).toMatchObject({
      schema: "shop",
      errorCode: 0,
      session: { timeZone: "+03:00", unknownCode: undefined },
    });
    expect(statement?.session.charset?.client).toBeGreaterThan(0);
    const variable = readUserVariable(first(EVENT.userVar));
    expect([variable.name, variable.value?.type, variable.value?.bytes.toString()]).toEqual(["u", "string", "hé"]);
    expect(readIntegerVariable(first(EVENT.intvar)).kind).toBe("insert_id");
  });

  it("open a compressed transaction", async () => {
    const inside = (await Array.fromAsync(openPayload(first(EVENT.transactionPayload)))).flat();
    expect(inside.map(({ type }) => type)).toEqual([
      EVENT.query,
      EVENT.rowsQuery,
      EVENT.tableMap,
      EVENT.writeRows,
      EVENT.xid,
    ]);
  });

  it("name a prepared XA transaction, the next file and what was before this one", async () => {
    const xa = readXaPrepare(first(EVENT.xaPrepare));
    expect([xa.formatId, xa.globalId.toString(), xa.branch.toString()]).toEqual([7, "global", "branch"]);
    expect(readRotation(first(EVENT.rotate))).toEqual({ file: "binlog.000002", position: 4n });
    expect(readPreviousGtids(first(EVENT.previousGtids)).isEmpty).toBe(true);
    const next = new EventReader().push(await readFile(join(server.dataDir, "binlog.000002")));
    const previous = next.find(({ type }) => type === EVENT.previousGtids);
    expect(previous && readPreviousGtids(previous).toString()).toBe(executed.toString());
  });
});
