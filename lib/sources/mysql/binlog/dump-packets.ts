import { errorPacket } from "../packets.ts";
import { damaged } from "./cursor.ts";
import { EVENT, EVENT_FLAG, EVENT_HEADER_SIZE, type EventHeader, readFormatDescription, readHeader } from "./event.ts";
import { assertAllIntact, assertIntact, ChecksumOfParts, GAP } from "./event-checksums.ts";

/** What a dump brings. Its bytes are there until the next bytes are read. */
export type DumpPiece =
  /** Whole events of one file, one after the other, as they stand in it. */
  | { kind: "events"; bytes: Buffer }
  /** Part of a long event of the log. */
  | { kind: "part"; header: EventHeader; bytes: Buffer; isFirst: boolean; isLast: boolean }
  /** One event that is in no file: a rotation, a format description or a heartbeat. */
  | { kind: "made-up"; header: EventHeader; bytes: Buffer };

const PACKET_HEADER_SIZE = 4;
/** What stands before an event in its first packet: the packet's header and a status. */
const HEAD_SIZE = GAP.length;
const FULL_PACKET = 0xff_ffff;
/** Longer events are handed on as they come, so that memory does not grow with them. */
const WHOLE_EVENT_BYTES = 256 * 1024;
const EMPTY: Buffer = Buffer.alloc(0);
/** Kinds that stand alone: they say how to read on, or are in no file. */
const ALONE: ReadonlySet<number> = new Set([EVENT.rotate, EVENT.formatDescription, EVENT.heartbeat, EVENT.heartbeatV2]);

/**
 * Cuts the answer to a dump command into events: each is a packet, or several where it has 16 MiB and more, with a status
 * byte in front. Verifies the checksum of every event.
 *
 * The events are moved together where they were read, so a piece lies before what is still to be looked at:
 *   moved | #kept: room that the packets' heads have left | #read: not looked at yet | the end
 */
export class DumpParser {
  /** The server has sent its last event (only without `follow`). */
  ended = false;
  #bytes: Buffer = EMPTY;
  #kept = 0;
  #read = 0;
  /** The start of a packet that was cut. */
  #carry: Buffer = EMPTY;
  #open: LongEvent | undefined;
  #hasChecksum: boolean;

  constructor(hasChecksum: boolean) {
    this.#hasChecksum = hasChecksum;
  }

  /** Reads bytes, and uses their memory. Throws the server's own error, or SOURCE_PROTOCOL. */
  push(bytes: Buffer): DumpPiece[] {
    const pieces: DumpPiece[] = [];
    let rest = bytes;
    while (this.#carry.length > 0 && rest.length > 0) {
      // Only what completes the cut packet is copied.
      const wanted = Math.min(rest.length, wantedBytes(this.#carry));
      this.#readAll(Buffer.concat([this.#carry, rest.subarray(0, wanted)]), pieces);
      rest = rest.subarray(wanted);
    }
    if (rest.length > 0) this.#readAll(rest, pieces);
    return pieces;
  }

  #readAll(bytes: Buffer, pieces: DumpPiece[]): void {
    this.#bytes = bytes;
    this.#read = 0;
    this.#kept = 0;
    while (this.#readOn(pieces));
    this.#carry = Buffer.from(bytes.subarray(this.#read));
  }

  /** False when more must come first. */
  #readOn(pieces: DumpPiece[]): boolean {
    if (this.ended && this.#read < this.#bytes.length) throw damaged("bytes after the last event");
    if (this.#open !== undefined) return this.#goOn(this.#open, pieces);
    const end = this.#endOfEvents();
    if (end === this.#read) return this.#readOne(pieces);
    pieces.push({ kind: "events", bytes: this.#moveTogether(end) });
    return true;
  }

  /** After the last of the whole events of the log that come next; makes `GAP` of the heads between them. */
  #endOfEvents(): number {
    const bytes = this.#bytes;
    let end = this.#read;
    while (bytes.length - end >= HEAD_SIZE + EVENT_HEADER_SIZE) {
      const length = uint24(bytes, end);
      const event = end + HEAD_SIZE;
      const next = event + length - 1;
      const isInLog = uint32(bytes, event + 13) !== 0 && ((bytes[event + 17] ?? 0) & EVENT_FLAG.artificial) === 0;
      if (next > bytes.length || length > WHOLE_EVENT_BYTES || bytes[event - 1] !== 0) break;
      if (!isInLog || ALONE.has(bytes[event + 4] ?? 0) || uint32(bytes, event + 9) !== length - 1) break;
      if (end > this.#read) bytes.set(GAP, end);
      end = next;
    }
    return end;
  }

  #moveTogether(end: number): Buffer {
    const bytes = this.#bytes;
    if (this.#hasChecksum) assertAllIntact(bytes.subarray(this.#read + HEAD_SIZE, end));
    const start = this.#kept;
    for (let event = this.#read + HEAD_SIZE; event < end;) {
      const size = uint32(bytes, event + 9);
      bytes.copyWithin(this.#kept, event, event + size);
      this.#kept += size;
      event += size + HEAD_SIZE;
    }
    this.#read = end;
    return bytes.subarray(start, this.#kept);
  }

  /** Reads a packet that is anything else: an event that stands alone, the start of a long one, or the end. */
  #readOne(pieces: DumpPiece[]): boolean {
    const packet = this.#bytes.subarray(this.#read);
    if (packet.length < HEAD_SIZE) return false;
    const length = uint24(packet, 0);
    if (packet[PACKET_HEADER_SIZE] !== 0) return this.#readStatus(packet, length);
    if (packet.length < HEAD_SIZE + EVENT_HEADER_SIZE) return false;
    const header = readHeader(packet, HEAD_SIZE);
    if (length < FULL_PACKET && header.size !== length - 1) {
      throw damaged(`type ${header.type} says it has ${header.size} bytes, its packet has ${length - 1}`);
    }
    if (length > WHOLE_EVENT_BYTES) return this.#start(header, packet, length);
    if (packet.length < PACKET_HEADER_SIZE + length) return false;
    const bytes = Buffer.from(packet.subarray(HEAD_SIZE, HEAD_SIZE + header.size));
    this.#check(header, bytes);
    this.#read += HEAD_SIZE + header.size;
    pieces.push(isMadeUp(header) ? { kind: "made-up", header, bytes } : { kind: "events", bytes });
    return true;
  }

  #readStatus(packet: Buffer, length: number): boolean {
    if (packet.length < PACKET_HEADER_SIZE + length) return false;
    const payload = packet.subarray(PACKET_HEADER_SIZE, PACKET_HEADER_SIZE + length);
    if (payload[0] === 0xff) throw errorPacket(payload, "reading the binary log");
    if (payload[0] !== 0xfe || length >= 9) throw damaged(`status ${payload[0]}, expected 0`);
    this.ended = true;
    this.#read += PACKET_HEADER_SIZE + length;
    return true;
  }

  #check({ type, flags, timestamp }: EventHeader, event: Buffer): void {
    if (type === EVENT.formatDescription) this.#hasChecksum = readFormatDescription(event).hasChecksum;
    // An artificial rotation comes before the format description and has a checksum only if this session asked for it.
    const isFirstRotation = (flags & EVENT_FLAG.artificial) !== 0 && timestamp === 0;
    if ((this.#hasChecksum || type === EVENT.formatDescription) && !isFirstRotation) assertIntact(event);
  }

  #start(header: EventHeader, packet: Buffer, length: number): boolean {
    if (ALONE.has(header.type)) throw damaged(`type ${header.type} has ${header.size} bytes`);
    const checksum = this.#hasChecksum ? new ChecksumOfParts(packet.subarray(HEAD_SIZE)) : undefined;
    this.#open = { header, left: header.size, packetLeft: length - 1, isFullPacket: length === FULL_PACKET, checksum };
    this.#read += HEAD_SIZE;
    return true;
  }

  #goOn(open: LongEvent, pieces: DumpPiece[]): boolean {
    if (open.packetLeft === 0) return this.#nextPacket(open);
    const bytes = this.#bytes.subarray(this.#read, this.#read + open.packetLeft);
    if (bytes.length === 0) return false;
    const isFirst = open.left === open.header.size;
    open.left -= bytes.length;
    open.packetLeft -= bytes.length;
    if (open.left < 0) throw damaged(`type ${open.header.type} is longer than it says`);
    open.checksum?.add(bytes);
    this.#read += bytes.length;
    this.#kept = this.#read;
    pieces.push({ kind: "part", header: open.header, bytes, isFirst, isLast: open.left === 0 });
    if (open.packetLeft === 0 && !open.isFullPacket) this.#close(open);
    return true;
  }

  #nextPacket(open: LongEvent): boolean {
    if (this.#bytes.length - this.#read < PACKET_HEADER_SIZE) return false;
    open.packetLeft = uint24(this.#bytes, this.#read);
    open.isFullPacket = open.packetLeft === FULL_PACKET;
    this.#read += PACKET_HEADER_SIZE;
    // An event that fills its packets is followed by an empty one.
    if (open.packetLeft === 0) this.#close(open);
    return true;
  }

  #close({ left, checksum }: LongEvent): void {
    if (left !== 0) throw damaged(`its packets end ${left} bytes early`);
    checksum?.assertIntact();
    this.#open = undefined;
  }
}

/** An event that is being handed on in parts. */
interface LongEvent {
  header: EventHeader;
  left: number;
  packetLeft: number;
  isFullPacket: boolean;
  checksum: ChecksumOfParts | undefined;
}

/** How many bytes to add to the start of a packet: to know its length, its event's header, or all of it. */
function wantedBytes(carry: Buffer): number {
  if (carry.length < PACKET_HEADER_SIZE) return PACKET_HEADER_SIZE - carry.length;
  const headBytes = HEAD_SIZE + EVENT_HEADER_SIZE;
  const packetBytes = PACKET_HEADER_SIZE + uint24(carry, 0);
  return (carry.length < headBytes ? Math.min(headBytes, packetBytes) : packetBytes) - carry.length;
}

function isMadeUp({ type, nextPosition, flags }: EventHeader): boolean {
  const isHeartbeat = type === EVENT.heartbeat || type === EVENT.heartbeatV2;
  return isHeartbeat || nextPosition === 0 || (flags & EVENT_FLAG.artificial) !== 0;
}

function uint24(bytes: Buffer, offset: number): number {
  return (bytes[offset] ?? 0) | ((bytes[offset + 1] ?? 0) << 8) | ((bytes[offset + 2] ?? 0) << 16);
}

function uint32(bytes: Buffer, offset: number): number {
  return (uint24(bytes, offset) | ((bytes[offset + 3] ?? 0) << 24)) >>> 0;
}
