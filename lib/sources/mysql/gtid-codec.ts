import { Cursor, damaged } from "./binlog/cursor.ts";
import { formatUuid } from "./binlog/gtid-event.ts";
import { type GtidRange, GtidSet } from "./gtid-set.ts";
import type { Interval } from "./intervals.ts";

/*
 * GTID sets in bytes, as PREVIOUS_GTIDS events and COM_BINLOG_DUMP_GTID carry them: a count, then for each UUID (and tag)
 * its intervals, whose ends are exclusive. Where tags are used, the count's first and last byte are 1 and each UUID is
 * followed by its tag.
 */

const TAGGED = 1n;

/** Reads an encoded set. Throws SOURCE_PROTOCOL. */
export function decodeGtidSet(bytes: Buffer): GtidSet {
  const cursor = new Cursor(bytes);
  const head = cursor.uint64();
  const isTagged = head >> 56n === TAGGED;
  let count = isTagged ? (head >> 8n) & 0xffff_ffff_ffffn : head;
  const ranges: GtidRange[] = [];
  for (; count > 0n; count--) {
    const uuid = formatUuid(cursor.bytes(16));
    const tag = isTagged ? cursor.text(Number(cursor.varlen())) : "";
    const intervals: Interval[] = [];
    for (let left = cursor.uint64(); left > 0n; left--) {
      const interval = { first: cursor.int64(), last: cursor.int64() - 1n };
      if (interval.first < 1n || interval.last < interval.first) throw damaged("an interval of GTIDs is empty");
      intervals.push(interval);
    }
    ranges.push({ uuid, tag, intervals });
  }
  return GtidSet.of(ranges);
}

/** The bytes of a set; in the older form where no tag asks for the newer one. */
export function encodeGtidSet(set: GtidSet): Buffer {
  const ranges = set.ranges();
  const isTagged = ranges.some(({ tag }) => tag !== "");
  const count = BigInt(ranges.length);
  const pieces = [uint64(isTagged ? (TAGGED << 56n) | (count << 8n) | TAGGED : count)];
  for (const { uuid, tag, intervals } of ranges) {
    pieces.push(Buffer.from(uuid.replaceAll("-", ""), "hex"));
    // A tag has 32 characters at most, so its length is one byte of the variable-length form.
    if (isTagged) pieces.push(Buffer.from([tag.length << 1]), Buffer.from(tag, "latin1"));
    pieces.push(uint64(BigInt(intervals.length)));
    for (const { first, last } of intervals) pieces.push(uint64(first), uint64(last + 1n));
  }
  return Buffer.concat(pieces);
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}
