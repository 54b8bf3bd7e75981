import { crc32 } from "node:zlib";
import { AppError } from "../../../core/errors.ts";
import { errorPacket } from "../packets.ts";
import { damaged } from "./cursor.ts";
import {
  CHECKSUM_SIZE,
  EVENT,
  EVENT_FLAG,
  EVENT_HEADER_SIZE,
  type EventHeader,
  readFormatDescription,
  readHeader,
} from "./event.ts";

/** Part of an event, mostly all of it. */
export interface EventPiece {
  header: EventHeader;
  bytes: Buffer;
  isFirst: boolean;
  isLast: boolean;
}

const PACKET_HEADER_SIZE = 4;
const FULL_PACKET = 0xff_ffff;
/** Longer events are handed on as they come, so that memory does not grow with them. */
const WHOLE_EVENT_BYTES = 256 * 1024;
/** Kinds that the reader has to understand, whole whatever their length. */
const ALWAYS_WHOLE: ReadonlySet<number> = new Set([
  EVENT.rotate,
  EVENT.formatDescription,
  EVENT.previousGtids,
  EVENT.gtid,
  EVENT.gtidTagged,
  EVENT.anonymousGtid,
  EVENT.incident,
  EVENT.heartbeat,
  EVENT.heartbeatV2,
]);

/**
 * Cuts the answer to a dump command into events: each is a packet, or several where it has 16 MiB and more, with a status
 * byte in front. Verifies the checksum of every event.
 */
export class DumpParser {
  /** The server has sent its last event (only without `follow`). */
  ended = false;
  #carry: Buffer | undefined;
  #packetLeft = 0;
  #isFullPacket = false;
  /** The event that is being handed on in parts. */
  #open: { header: EventHeader; left: number; crc: number; tail: Buffer } | undefined;
  #hasChecksum: boolean;

  constructor(hasChecksum: boolean) {
    this.#hasChecksum = hasChecksum;
  }

  /** Throws the server's own error, or SOURCE_PROTOCOL. */
  push(chunk: Buffer): EventPiece[] {
    const pieces: EventPiece[] = [];
    let rest = chunk;
    while (this.#carry !== undefined && rest.length > 0) {
      // Only what completes the cut packet is copied, not the whole chunk.
      const wanted = Math.min(rest.length, wantedBytes(this.#carry));
      const joined = Buffer.concat([this.#carry, rest.subarray(0, wanted)]);
      rest = rest.subarray(wanted);
      this.#carry = undefined;
      this.#read(joined, pieces);
    }
    if (rest.length > 0) this.#read(rest, pieces);
    return pieces;
  }

  #read(bytes: Buffer, pieces: EventPiece[]): void {
    let offset = 0;
    while (offset < bytes.length) {
      const taken = this.#open === undefined ? this.#start(bytes, offset, pieces) : this.#goOn(bytes, offset, pieces);
      if (taken === 0) {
        this.#carry = bytes.subarray(offset);
        return;
      }
      offset += taken;
    }
  }

  /** Reads a packet that starts an event. Returns the bytes it took; 0 when more must come first. */
  #start(bytes: Buffer, offset: number, pieces: EventPiece[]): number {
    if (this.ended) throw damaged("bytes after the last event");
    const available = bytes.length - offset;
    if (available < PACKET_HEADER_SIZE + 1) return 0;
    const length = bytes.readUIntLE(offset, 3);
    const status = bytes[offset + PACKET_HEADER_SIZE];
    if (status !== 0) return this.#readStatus(bytes.subarray(offset), length);
    if (available < PACKET_HEADER_SIZE + 1 + EVENT_HEADER_SIZE) return 0;
    const start = offset + PACKET_HEADER_SIZE + 1;
    const header = readHeader(bytes, start);
    if (length < FULL_PACKET && header.size !== length - 1) {
      throw damaged(`type ${header.type} says it has ${header.size} bytes, its packet has ${length - 1}`);
    }
    if (length < FULL_PACKET && (header.size <= WHOLE_EVENT_BYTES || ALWAYS_WHOLE.has(header.type))) {
      if (available < PACKET_HEADER_SIZE + length) return 0;
      pieces.push(this.#whole(header, bytes.subarray(start, start + header.size)));
      return PACKET_HEADER_SIZE + length;
    }
    this.#open = { header, left: header.size, crc: 0, tail: Buffer.alloc(0) };
    this.#packetLeft = length - 1;
    this.#isFullPacket = length === FULL_PACKET;
    return PACKET_HEADER_SIZE + 1;
  }

  #readStatus(packet: Buffer, length: number): number {
    if (packet.length < PACKET_HEADER_SIZE + length) return 0;
    const payload = packet.subarray(PACKET_HEADER_SIZE, PACKET_HEADER_SIZE + length);
    if (payload[0] === 0xff) throw errorPacket(payload, "reading the binary log");
    if (payload[0] !== 0xfe || length >= 9) throw damaged(`status ${payload[0]}, expected 0`);
    this.ended = true;
    return PACKET_HEADER_SIZE + length;
  }

  #whole(header: EventHeader, event: Buffer): EventPiece {
    if (header.type === EVENT.formatDescription) this.#hasChecksum = readFormatDescription(event).hasChecksum;
    // An artificial rotation comes before the format description and has a checksum only if this session asked for it.
    const isChecked = this.#hasChecksum || header.type === EVENT.formatDescription;
    const isMadeUp = (header.flags & EVENT_FLAG.artificial) !== 0 && header.timestamp === 0;
    if (isChecked && !isMadeUp) {
      const end = event.length - CHECKSUM_SIZE;
      assertChecksum(crc32(event.subarray(0, end)), event.subarray(end), header);
    }
    return { header, bytes: event, isFirst: true, isLast: true };
  }

  #goOn(bytes: Buffer, offset: number, pieces: EventPiece[]): number {
    if (this.#packetLeft === 0) return this.#nextPacket(bytes, offset);
    const open = this.#open;
    if (open === undefined) throw new AppError("INVARIANT", "no event is open");
    const part = bytes.subarray(offset, offset + this.#packetLeft);
    const isFirst = open.left === open.header.size;
    open.left -= part.length;
    if (open.left < 0) throw damaged(`type ${open.header.type} is longer than it says`);
    this.#packetLeft -= part.length;
    if (this.#hasChecksum) addToChecksum(open, part);
    pieces.push({ header: open.header, bytes: part, isFirst, isLast: open.left === 0 });
    if (this.#packetLeft === 0 && !this.#isFullPacket) this.#close(open.left);
    return part.length;
  }

  #nextPacket(bytes: Buffer, offset: number): number {
    if (bytes.length - offset < PACKET_HEADER_SIZE) return 0;
    this.#packetLeft = bytes.readUIntLE(offset, 3);
    this.#isFullPacket = this.#packetLeft === FULL_PACKET;
    // An event that fills its packets is followed by an empty one.
    if (this.#packetLeft === 0) this.#close(this.#open?.left ?? 0);
    return PACKET_HEADER_SIZE;
  }

  #close(left: number): void {
    if (left !== 0) throw damaged(`its packets end ${left} bytes early`);
    if (this.#open !== undefined && this.#hasChecksum) {
      assertChecksum(this.#open.crc, this.#open.tail, this.#open.header);
    }
    this.#open = undefined;
  }
}

/** How many bytes to add to the start of a packet: to know its length, its event's header, or all of it. */
function wantedBytes(carry: Buffer): number {
  if (carry.length < PACKET_HEADER_SIZE) return PACKET_HEADER_SIZE - carry.length;
  const headBytes = PACKET_HEADER_SIZE + 1 + EVENT_HEADER_SIZE;
  const packetBytes = PACKET_HEADER_SIZE + carry.readUIntLE(0, 3);
  if (carry.length < headBytes) return Math.min(headBytes, packetBytes) - carry.length;
  return packetBytes - carry.length;
}

/** The last four bytes are the checksum and not part of it, and only the end tells which they are. */
function addToChecksum(open: { crc: number; tail: Buffer }, part: Buffer): void {
  const bytes = part.length >= CHECKSUM_SIZE ? part : Buffer.concat([open.tail, part]);
  const held = Math.max(0, bytes.length - CHECKSUM_SIZE);
  if (bytes === part) open.crc = crc32(open.tail, open.crc);
  open.crc = crc32(bytes.subarray(0, held), open.crc);
  open.tail = bytes.subarray(held);
}

function assertChecksum(crc: number, stored: Buffer, { type, nextPosition }: EventHeader): void {
  if (stored.length === CHECKSUM_SIZE && stored.readUInt32LE(0) === crc) return;
  throw damaged(`type ${type} that ends at ${nextPosition} fails its checksum`);
}
