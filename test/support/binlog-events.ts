import { crc32 } from "node:zlib";

export interface EventFields {
  type: number;
  /** Offset of its first byte in the file; 0 for an event that is in none. */
  position: number;
  body: Buffer;
  flags?: number;
  timestamp?: number;
}

const HEADER_SIZE = 19;
const CHECKSUM_SIZE = 4;

/** A whole event of a binlog with checksums. */
export function makeEvent({ type, position, body, flags = 0, timestamp = 1 }: EventFields): Buffer {
  const size = HEADER_SIZE + body.length + CHECKSUM_SIZE;
  const header = Buffer.alloc(HEADER_SIZE);
  header.writeUInt32LE(timestamp, 0);
  header.writeUInt8(type, 4);
  header.writeUInt32LE(1, 5);
  header.writeUInt32LE(size, 9);
  header.writeUInt32LE(position === 0 ? 0 : position + size, 13);
  header.writeUInt16LE(flags, 17);
  const checksum = Buffer.alloc(CHECKSUM_SIZE);
  checksum.writeUInt32LE(crc32(Buffer.concat([header, body])));
  return Buffer.concat([header, body, checksum]);
}

const FULL_PACKET = 0xff_ffff;

/** The packets in which a dump sends an event. */
export function toPackets(event: Buffer): Buffer {
  const payload = Buffer.concat([Buffer.from([0]), event]);
  const packets: Buffer[] = [];
  for (let at = 0, length = FULL_PACKET; length === FULL_PACKET; at += length) {
    length = Math.min(FULL_PACKET, payload.length - at);
    const header = Buffer.alloc(4);
    header.writeUIntLE(length, 0, 3);
    packets.push(header, payload.subarray(at, at + length));
  }
  return Buffer.concat(packets);
}
