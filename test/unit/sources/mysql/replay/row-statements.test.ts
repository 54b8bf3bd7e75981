import { describe, expect, it } from "vitest";
import {
  type BinlogEvent,
  EVENT,
  EVENT_HEADER_SIZE,
  readEvent,
  readHeader,
} from "../../../../../lib/sources/mysql/binlog/event.ts";
import { ROWS_FLAG } from "../../../../../lib/sources/mysql/binlog/row-events.ts";
import {
  encodeEvents,
  groupRows,
  type LoggedRows,
  rowStatement,
} from "../../../../../lib/sources/mysql/replay/row-statements.ts";
import { replayScope } from "../../../../../lib/sources/mysql/replay/scope.ts";
import { type MappedTable, TableMaps } from "../../../../../lib/sources/mysql/replay/table-map.ts";

function event(type: number, body: Buffer, checksum = true): BinlogEvent {
  const size = EVENT_HEADER_SIZE + body.length + (checksum ? 4 : 0);
  const bytes = Buffer.alloc(size);
  bytes[4] = type;
  bytes.writeUInt32LE(size, 9);
  body.copy(bytes, EVENT_HEADER_SIZE);
  return readEvent(bytes, checksum);
}

function mapEvent(id: number, schema: string, table: string, rest = "after"): BinlogEvent {
  const body = Buffer.alloc(8);
  body.writeUIntLE(id, 0, 6);
  const name = (text: string): Buffer =>
    Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(`${text}\0`)]);
  return event(
    EVENT.tableMap,
    Buffer.concat([body, name(schema), name(table), Buffer.from([1, 3, 0, 1]), Buffer.from(rest)]),
  );
}

function rowsEvent(id: number, flags: number, content = "row", checksum = true): BinlogEvent {
  const body = Buffer.alloc(8);
  body.writeUIntLE(id, 0, 6);
  body.writeUInt16LE(flags, 6);
  return event(EVENT.writeRows, Buffer.concat([body, Buffer.from(content)]), checksum);
}

function tables(...events: BinlogEvent[]): MappedTable[] {
  const maps = new TableMaps(replayScope());
  return events.map((one) => maps.add(one));
}

function types(bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at < bytes.length; at += readHeader(bytes, at).size) found.push(readHeader(bytes, at).type);
  return found;
}

const groupsOf = (rows: LoggedRows[], maxBytes = 1e6): number[] =>
  [...groupRows(rows, maxBytes)].map(({ length }) => length);

describe("row events in one BINLOG statement", () => {
  const [a, b] = tables(mapEvent(1, "s", "a"), mapEvent(2, "s", "b")) as [MappedTable, MappedTable];

  it("puts each table map once and first, and ends the statement with the last row event only", () => {
    const group = [
      { table: a, event: rowsEvent(1, ROWS_FLAG.statementEnd) },
      { table: b, event: rowsEvent(2, ROWS_FLAG.statementEnd) },
      { table: a, event: rowsEvent(1, 0) },
    ];
    const bytes = encodeEvents(group);
    expect(types(bytes)).toEqual([EVENT.tableMap, EVENT.tableMap, EVENT.writeRows, EVENT.writeRows, EVENT.writeRows]);
    const ends: number[] = [];
    for (let at = 0; at < bytes.length; at += readHeader(bytes, at).size) {
      if (readHeader(bytes, at).type === EVENT.writeRows) ends.push(bytes.readUInt16LE(at + EVENT_HEADER_SIZE + 6));
    }
    expect(ends).toEqual([0, 0, ROWS_FLAG.statementEnd]);
  });

  it("takes checksums off, and takes events that have none as they are", () => {
    const [checked, bare] = [rowsEvent(1, 0, "same"), rowsEvent(1, 0, "same", false)];
    expect(encodeEvents([{ table: a, event: checked }])).toEqual(encodeEvents([{ table: a, event: bare }]));
  });

  it("leaves the logged event itself unchanged", () => {
    const logged = rowsEvent(1, ROWS_FLAG.statementEnd);
    const before = Buffer.from(logged.bytes);
    encodeEvents([
      { table: a, event: logged },
      { table: a, event: logged },
    ]);
    expect(logged.bytes).toEqual(before);
  });

  it("is base64 of the events, also past the size that is encoded at once", () => {
    const group = [{ table: a, event: rowsEvent(1, 0, "x".repeat(4_000_001)) }];
    const text = rowStatement(group).toString("latin1");
    expect(text.slice(0, 8)).toBe("BINLOG '");
    expect(Buffer.from(text.slice(8, -1), "base64")).toEqual(encodeEvents(group));
  });
});

describe("groups of row events", () => {
  it("keep many transactions on several tables together", () => {
    const [a, b] = tables(mapEvent(1, "s", "a"), mapEvent(2, "s", "b")) as [MappedTable, MappedTable];
    const rows = Array.from({ length: 100 }, (_, n) =>
      n % 2 ? { table: a, event: rowsEvent(1, 1) } : { table: b, event: rowsEvent(2, 1) },
    );
    expect(groupsOf(rows)).toEqual([100]);
  });

  it("end where a table id changes its meaning", () => {
    const [a, other] = tables(mapEvent(1, "s", "a"), mapEvent(1, "s", "b")) as [MappedTable, MappedTable];
    const changed = tables(mapEvent(1, "s", "a"), mapEvent(1, "s", "a", "later"))[1] as MappedTable;
    for (const second of [other, changed]) {
      expect(
        groupsOf([
          { table: a, event: rowsEvent(1, 1) },
          { table: second, event: rowsEvent(1, 1) },
        ]),
      ).toEqual([1, 1]);
    }
  });

  it("end where a table gets another id", () => {
    const [a, again] = tables(mapEvent(1, "s", "a"), mapEvent(7, "s", "a")) as [MappedTable, MappedTable];
    expect(
      groupsOf([
        { table: a, event: rowsEvent(1, 1) },
        { table: again, event: rowsEvent(7, 1) },
      ]),
    ).toEqual([1, 1]);
  });

  it("end where the flags for foreign keys and unique checks differ", () => {
    const [a] = tables(mapEvent(1, "s", "a")) as [MappedTable];
    const flags = [1, 0, ROWS_FLAG.noForeignKeyChecks, ROWS_FLAG.noForeignKeyChecks | 1, ROWS_FLAG.relaxedUniqueChecks];
    expect(groupsOf(flags.map((flag) => ({ table: a, event: rowsEvent(1, flag) })))).toEqual([2, 2, 1]);
  });

  it("end before they get too large, and hold one event that is larger by itself", () => {
    const [a] = tables(mapEvent(1, "s", "a")) as [MappedTable];
    const rows = [100, 100, 5000, 100].map((length) => ({ table: a, event: rowsEvent(1, 0, "x".repeat(length)) }));
    expect(groupsOf(rows, 400)).toEqual([2, 1, 1]);
  });
});

describe("table maps", () => {
  it("write other names into the event, and keep what follows them", () => {
    const mapping = {
      schema: (name: string): string => name,
      table: (_: string, name: string) => ({ schema: "a longer schema", name: `${name}_é` }),
      renamedSchemas: new Set<string>(),
    };
    const maps = new TableMaps(replayScope({ schemas: ["s"], mapping }));
    const mapped = maps.add(mapEvent(3, "s", "t"));
    expect(mapped.event).toEqual(
      encodeEvents([
        { table: tables(mapEvent(3, "a longer schema", "t_é"))[0] as MappedTable, event: rowsEvent(3, 0) },
      ]).subarray(0, mapped.event.length),
    );
    expect(readHeader(mapped.event).size).toBe(mapped.event.length);
  });

  it("stay the same object until an id means something else", () => {
    const maps = new TableMaps(replayScope());
    const first = maps.add(mapEvent(3, "s", "t"));
    expect(maps.add(mapEvent(3, "s", "t"))).toBe(first);
    expect(maps.add(mapEvent(3, "s", "u"))).not.toBe(first);
  });

  it("refuse rows of an id that nothing named", () => {
    expect(() => new TableMaps(replayScope()).of(rowsEvent(9, 0))).toThrow(
      expect.objectContaining({ code: "SOURCE_PROTOCOL" }),
    );
  });
});
