import { type BinlogEvent, CHECKSUM_SIZE, EVENT_HEADER_SIZE, readFormatDescription } from "../binlog/event.ts";
import { EVENT_FLAG } from "../binlog/event.ts";
import { ROWS_FLAG, ROWS_OFFSET } from "../binlog/row-events.ts";
import { crc32 } from "node:zlib";
import { keyOf } from "../mapping.ts";
import type { MappedTable } from "./table-map.ts";

/*
 * Row events of many transactions as few BINLOG statements. In each, the table maps come first and only the last row event
 * ends the statement: the server answers at each end, and a second answer would break the protocol.
 *
 * Events are sent without checksums, as from a server with binlog_checksum=NONE: they were checked when they were read, and
 * flags and names change here.
 */

/** A rows event and the table that its id stood for. */
export interface LoggedRows {
  table: MappedTable;
  event: BinlogEvent;
}

const FLAGS_AT = EVENT_HEADER_SIZE + ROWS_OFFSET.flags;

/**
 * Cuts row events, in their order, into groups that may share a BINLOG statement. A new group starts where an id or a table
 * changes its meaning, where the flags for foreign keys and unique checks differ, and past `maxBytes` of events.
 */
export function* groupRows(rows: Iterable<LoggedRows>, maxBytes: number): Generator<LoggedRows[]> {
  let group: LoggedRows[] = [];
  let bytes = 0;
  let flags = 0;
  let byId = new Map<number, MappedTable>();
  let byName = new Map<string, MappedTable>();
  for (const item of rows) {
    const { table, event } = item;
    const itsFlags = flagsOf(event);
    const name = nameOf(table);
    const known = byId.get(table.tableId);
    const fits =
      itsFlags === flags &&
      bytes + event.size <= maxBytes &&
      (known === table || (known === undefined && !byName.has(name)));
    if (group.length > 0 && !fits) {
      yield group;
      group = [];
      bytes = 0;
      byId = new Map();
      byName = new Map();
    }
    flags = itsFlags;
    if (!byId.has(table.tableId)) {
      byId.set(table.tableId, table);
      byName.set(name, table);
      bytes += table.event.length;
    }
    group.push(item);
    bytes += event.size;
  }
  if (group.length > 0) yield group;
}

/** One BINLOG statement for a group of `groupRows`. */
export function rowStatement(group: readonly LoggedRows[]): Buffer {
  return binlogStatement(encodeEvents(group));
}

/** The events of a group as the server takes them: table maps, then rows of which the last ends the statement. */
export function encodeEvents(group: readonly LoggedRows[]): Buffer {
  const maps = [...new Set(group.map(({ table }) => table.event))];
  const size =
    maps.reduce((sum, map) => sum + map.length, 0) + group.reduce((sum, { event }) => sum + plainSize(event), 0);
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const map of maps) at += map.copy(bytes, at);
  let lastAt = at;
  for (const { event } of group) {
    lastAt = at;
    const length = plainSize(event);
    event.bytes.copy(bytes, at, 0, length);
    bytes.writeUInt32LE(length, at + 9);
    bytes.writeUInt16LE(flagsOf(event), at + FLAGS_AT);
    at += length;
  }
  bytes.writeUInt16LE(bytes.readUInt16LE(lastAt + FLAGS_AT) | ROWS_FLAG.statementEnd, lastAt + FLAGS_AT);
  return bytes;
}

/** The BINLOG statement after which row events are read as this file's are, but without checksums. */
export function formatStatement(event: BinlogEvent): Buffer {
  readFormatDescription(event.bytes);
  const bytes = Buffer.from(event.bytes);
  bytes.writeUInt16LE(event.flags & ~EVENT_FLAG.inUse & ~EVENT_FLAG.artificial, 17);
  // No place in a file; with one, the server would take it for the start of a file that it reads.
  const end = bytes.length - CHECKSUM_SIZE;
  bytes[end - 1] = 0;
  bytes.writeUInt32LE(crc32(bytes.subarray(0, end)), end);
  return binlogStatement(bytes);
}

// A multiple of 3, so that the pieces of base64 can be put together; a string for the whole would be another copy.
const ENCODED_AT_ONCE = 3 * 512 * 1024;

function binlogStatement(events: Buffer): Buffer {
  const [start, end] = ["BINLOG '", "'"];
  const bytes = Buffer.allocUnsafe(start.length + 4 * Math.ceil(events.length / 3) + end.length);
  let at = bytes.write(start, 0, "latin1");
  for (let from = 0; from < events.length; from += ENCODED_AT_ONCE) {
    at += bytes.write(events.toString("base64", from, Math.min(from + ENCODED_AT_ONCE, events.length)), at, "latin1");
  }
  bytes.write(end, at, "latin1");
  return bytes;
}

function plainSize({ body }: BinlogEvent): number {
  return EVENT_HEADER_SIZE + body.length;
}

function flagsOf({ body }: BinlogEvent): number {
  return body.readUInt16LE(ROWS_OFFSET.flags) & ~ROWS_FLAG.statementEnd;
}

function nameOf({ from, to }: MappedTable): string {
  const { schema, name } = to ?? from;
  return keyOf(schema, name);
}
