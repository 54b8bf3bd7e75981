// What of a JSON document's text could stand for something else than text says: see json-shape.ts.

const QUOTE: u8 = 0x22;
const BACKSLASH: u8 = 0x5c;
const COLON: u8 = 0x3a;
const MINUS: u8 = 0x2d;
const POINT: u8 = 0x2e;
const SPACE: u8 = 0x20;
/** `base64:t`, as it begins in memory. */
const BASE64: u64 = 0x743a343665736162;

/** Counts the numbers of a document, and the strings that look as times and opaque values are printed. */
export function countDoubtful(from: usize, length: usize): i64 {
  const end = from + length;
  let at = from;
  let count: i64 = 0;
  while (at < end) {
    const byte = load<u8>(at);
    if (byte == QUOTE) {
      const start = at + 1;
      at = endOfString(start, end);
      const isKey = at + 1 < end && load<u8>(at, 1) == COLON;
      if (!isKey && isDoubtful(start, at - start)) count += 1;
      at += 1;
    } else if (byte == MINUS || (byte >= 0x30 && byte <= 0x39)) {
      count += 1;
      at += 1;
      while (at < end && isOfNumber(load<u8>(at))) at += 1;
    } else {
      at += 1;
    }
  }
  return count;
}

/** Where the closing quote is; `end` when there is none. */
function endOfString(at: usize, end: usize): usize {
  while (at < end) {
    const block = v128.load(at);
    const quotes = i8x16.eq(block, i8x16.splat(QUOTE));
    const found = i8x16.bitmask(v128.or(quotes, i8x16.eq(block, i8x16.splat(BACKSLASH))));
    if (found == 0) {
      at += 16;
      continue;
    }
    at += <usize>ctz(found);
    if (at >= end) return end;
    if (load<u8>(at) == QUOTE) return at;
    at += 2;
  }
  return end;
}

function isOfNumber(byte: u8): bool {
  return (byte >= 0x30 && byte <= 0x39) || byte == POINT || byte == MINUS || byte == 0x2b || (byte | 0x20) == 0x65;
}

/** `base64:type…`, DATE, TIME and DATETIME with six digits of fraction; everything else is a string. */
function isDoubtful(at: usize, length: usize): bool {
  if (length < 10) return false;
  if (load<u64>(at) == BASE64) return true;
  if (length == 10) return load<u8>(at, 4) == MINUS && load<u8>(at, 7) == MINUS;
  if (length >= 15 && length <= 17) return load<u8>(at + length - 7) == POINT && load<u8>(at + length - 10) == COLON;
  return length == 26 && load<u8>(at, 4) == MINUS && load<u8>(at, 10) == SPACE;
}
