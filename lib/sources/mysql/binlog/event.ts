import { Cursor, damaged } from "./cursor.ts";

/*
 * Binlog events, version 4: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication_binlog_event.html
 * What is inside the body of each kind: event-bodies.ts, query-event.ts, gtid-event.ts, row-events.ts, payload-event.ts.
 */

/** What a binlog file starts with. */
export const BINLOG_MAGIC: Buffer = Buffer.from("fe62696e", "hex");

export const EVENT_HEADER_SIZE = 19;
export const CHECKSUM_SIZE = 4;

export const EVENT = {
  query: 2,
  stop: 3,
  rotate: 4,
  intvar: 5,
  appendBlock: 9,
  deleteFile: 11,
  rand: 13,
  userVar: 14,
  formatDescription: 15,
  xid: 16,
  beginLoadQuery: 17,
  executeLoadQuery: 18,
  tableMap: 19,
  writeRowsV1: 23,
  updateRowsV1: 24,
  deleteRowsV1: 25,
  incident: 26,
  heartbeat: 27,
  ignorable: 28,
  rowsQuery: 29,
  writeRows: 30,
  updateRows: 31,
  deleteRows: 32,
  gtid: 33,
  anonymousGtid: 34,
  previousGtids: 35,
  transactionContext: 36,
  viewChange: 37,
  xaPrepare: 38,
  partialUpdateRows: 39,
  transactionPayload: 40,
  heartbeatV2: 41,
  gtidTagged: 42,
} as const;

/** Flags of the header. */
export const EVENT_FLAG = {
  /** In the format description of a file that the server still writes, or did not close. */
  inUse: 0x0001,
  /** The statement used temporary tables of its thread. */
  threadSpecific: 0x0004,
  /** The default schema plays no part. */
  suppressUse: 0x0008,
  /** Made up for this connection; not in the file. */
  artificial: 0x0020,
  relayLog: 0x0040,
  /** A server that does not know the type may skip it. */
  ignorable: 0x0080,
} as const;

export interface EventHeader {
  /** Seconds since 1970, by the clock of the server that ran the statement; not monotonic. */
  timestamp: number;
  /** One of EVENT, or a type of a newer server. */
  type: number;
  serverId: number;
  /** Bytes, with header and checksum. */
  size: number;
  /** Where the next event starts in its file, modulo 2^32; 0 where the event is in no file. */
  nextPosition: number;
  flags: number;
}

export interface BinlogEvent extends EventHeader {
  /** The whole event as the server wrote it. */
  bytes: Buffer;
  /** Without header and checksum. */
  body: Buffer;
}

/** The header of the event that starts at `offset`. */
export function readHeader(bytes: Buffer, offset = 0): EventHeader {
  if (bytes.length - offset < EVENT_HEADER_SIZE) throw damaged("its header is cut off");
  return {
    timestamp: bytes.readUInt32LE(offset),
    type: bytes.readUInt8(offset + 4),
    serverId: bytes.readUInt32LE(offset + 5),
    size: bytes.readUInt32LE(offset + 9),
    nextPosition: bytes.readUInt32LE(offset + 13),
    flags: bytes.readUInt16LE(offset + 17),
  };
}

/** One whole event. Throws SOURCE_PROTOCOL where its size is wrong. */
export function readEvent(bytes: Buffer, hasChecksum: boolean): BinlogEvent {
  const header = readHeader(bytes);
  const end = bytes.length - (hasChecksum ? CHECKSUM_SIZE : 0);
  if (header.size !== bytes.length || end < EVENT_HEADER_SIZE) {
    throw damaged(`type ${header.type} has ${bytes.length} bytes and says ${header.size}`);
  }
  return { ...header, bytes, body: bytes.subarray(EVENT_HEADER_SIZE, end) };
}

/** What the first event of a file says of the others. */
export interface FormatDescription {
  serverVersion: string;
  /** When the server wrote it, in seconds since 1970; 0 in all files but the first after a start. */
  createdAt: number;
  /** Whether the events after it (and it itself) end in a CRC32. */
  hasChecksum: boolean;
  /** Length of the fixed part of each type, by type - 1. */
  postHeaderLengths: Buffer;
}

/** Reads a format description event. It has room for a checksum always, so its own bytes are needed whole. */
export function readFormatDescription(bytes: Buffer): FormatDescription {
  const cursor = new Cursor(bytes, EVENT_HEADER_SIZE);
  const version = cursor.uint16();
  if (version !== 4) throw damaged(`format version ${version}, expected 4`);
  const serverVersion = cursor.text(50).replace(/\0.*$/s, "");
  const createdAt = cursor.uint32();
  const headerLength = cursor.uint8();
  if (headerLength !== EVENT_HEADER_SIZE) throw damaged(`headers of ${headerLength} bytes, expected 19`);
  const postHeaderLengths = cursor.bytes(cursor.left - CHECKSUM_SIZE - 1);
  return { serverVersion, createdAt, hasChecksum: cursor.uint8() === 1, postHeaderLengths };
}

/**
 * Cuts a binlog, with or without the magic number in front, into events; the pieces may end anywhere. A format description
 * among them says whether the events after it end in a checksum; `hasChecksum` holds before the first.
 */
export class EventReader {
  #hasChecksum: boolean;
  #isStart = true;
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  constructor(hasChecksum = true) {
    this.#hasChecksum = hasChecksum;
  }

  get hasChecksum(): boolean {
    return this.#hasChecksum;
  }

  /** The events that are complete now. Those of one piece share its memory. */
  push(piece: Buffer): BinlogEvent[] {
    this.#pending.push(piece);
    this.#pendingBytes += piece.length;
    // One copy once the event is there, instead of one for each piece of a large one.
    if (this.#pendingBytes < this.#wantedBytes()) return [];
    const bytes = this.#pending.length === 1 ? piece : Buffer.concat(this.#pending, this.#pendingBytes);
    const events: BinlogEvent[] = [];
    let offset = this.#isStart && bytes.subarray(0, 4).equals(BINLOG_MAGIC) ? BINLOG_MAGIC.length : 0;
    this.#isStart = false;
    for (;;) {
      const size = bytes.length - offset < EVENT_HEADER_SIZE ? undefined : sizeAt(bytes, offset);
      if (size === undefined || offset + size > bytes.length) break;
      events.push(this.#read(bytes.subarray(offset, offset + size)));
      offset += size;
    }
    const rest = bytes.subarray(offset);
    this.#pending = rest.length === 0 ? [] : [rest];
    this.#pendingBytes = rest.length;
    return events;
  }

  /** Throws SOURCE_PROTOCOL where the last event is cut off. */
  end(): void {
    if (this.#pendingBytes > 0) throw damaged(`cut off after ${this.#pendingBytes} bytes`);
  }

  #read(bytes: Buffer): BinlogEvent {
    if (bytes[4] === EVENT.formatDescription) {
      this.#hasChecksum = readFormatDescription(bytes).hasChecksum;
      return readEvent(bytes, true);
    }
    return readEvent(bytes, this.#hasChecksum);
  }

  #wantedBytes(): number {
    const [first] = this.#pending;
    if (first === undefined || this.#isStart || first.length < EVENT_HEADER_SIZE) return EVENT_HEADER_SIZE;
    return sizeAt(first, 0);
  }
}

/** The events of a binlog file or segment, as many at a time as each piece completes. Throws SOURCE_PROTOCOL. */
export async function* readEvents(
  pieces: AsyncIterable<Buffer> | Iterable<Buffer>,
  hasChecksum = true,
): AsyncGenerator<BinlogEvent[], void, void> {
  const reader = new EventReader(hasChecksum);
  for await (const piece of pieces) {
    const events = reader.push(piece);
    if (events.length > 0) yield events;
  }
  reader.end();
}

function sizeAt(bytes: Buffer, offset: number): number {
  const size = bytes.readUInt32LE(offset + 9);
  if (size < EVENT_HEADER_SIZE) throw damaged(`type ${bytes[offset + 4]} says it has ${size} bytes`);
  return size;
}
