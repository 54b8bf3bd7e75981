import { crc32 } from "node:zlib";
import { AppError } from "../../../core/errors.ts";
import { type BinlogEvent, CHECKSUM_SIZE, EVENT, EVENT_FLAG, EVENT_HEADER_SIZE } from "../binlog/event.ts";
import type { LogPiece } from "./replay.ts";

/** Passes the events on whose checksums are right. Throws SOURCE_PROTOCOL for another. */
export async function* checkedEvents(log: AsyncIterable<LogPiece>): AsyncGenerator<LogPiece, void, void> {
  for await (const piece of log) {
    for (const event of piece.events) {
      if (!isIntact(event)) {
        const where = `${piece.file}, before byte ${event.nextPosition}`;
        throw new AppError("SOURCE_PROTOCOL", `binlog event in ${where}: its checksum is wrong`);
      }
    }
    yield piece;
  }
}

function isIntact({ type, flags, bytes, body }: BinlogEvent): boolean {
  const end = bytes.length - CHECKSUM_SIZE;
  if (EVENT_HEADER_SIZE + body.length !== end) return true;
  const expected = bytes.readUInt32LE(end);
  if (type !== EVENT.formatDescription || (flags & EVENT_FLAG.inUse) === 0)
    return crc32(bytes.subarray(0, end)) === expected;
  // The server sets this flag without a new checksum, while the file is open.
  const closed = Buffer.from(bytes.subarray(0, end));
  closed.writeUInt16LE(flags & ~EVENT_FLAG.inUse, 17);
  return crc32(closed) === expected;
}
