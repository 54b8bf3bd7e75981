// Escaping for LOAD DATA: backslash, TAB, LF and NUL become a backslash and a letter; every other byte stays.

const BACKSLASH: u8 = 0x5c;
const TAB: u8 = 0x09;
const LF: u8 = 0x0a;
const NUL: u8 = 0x00;

/** Bytes that `escapeCopy` may touch after the end of its source and of what it wrote. */
export const SLACK: usize = 16;

function specials(block: v128): i32 {
  const backslashes = i8x16.eq(block, i8x16.splat(BACKSLASH));
  const tabs = i8x16.eq(block, i8x16.splat(TAB));
  const feeds = i8x16.eq(block, i8x16.splat(LF));
  const nuls = i8x16.eq(block, i8x16.splat(NUL));
  return i8x16.bitmask(v128.or(v128.or(backslashes, tabs), v128.or(feeds, nuls)));
}

function letterOf(byte: u8): u8 {
  if (byte == TAB) return 0x74;
  if (byte == LF) return 0x6e;
  if (byte == NUL) return 0x30;
  return BACKSLASH;
}

/** Copies `length` bytes to `target`, escaped; returns the end of what it wrote, at most `target + 2 * length`. */
export function escapeCopy(source: usize, length: usize, target: usize): usize {
  const end = source + length;
  while (source < end) {
    const block = v128.load(source);
    const left = end - source;
    let found = specials(block);
    if (left < 16) found &= (1 << (<i32>left)) - 1;
    v128.store(target, block);
    if (found == 0) {
      const step = min(left, 16);
      source += step;
      target += step;
      continue;
    }
    const clean = <usize>ctz(found);
    source += clean;
    target += clean;
    store<u8>(target, BACKSLASH);
    store<u8>(target + 1, letterOf(load<u8>(source)));
    source += 1;
    target += 2;
  }
  return target;
}
