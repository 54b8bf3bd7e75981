// XXH64 with seed 0: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md

const P1: u64 = 0x9e3779b185ebca87;
const P2: u64 = 0xc2b2ae3d27d4eb4f;
const P3: u64 = 0x165667b19e3779f9;
const P4: u64 = 0x85ebca77c2b2ae63;
const P5: u64 = 0x27d4eb2f165667c5;

let v1: u64 = 0;
let v2: u64 = 0;
let v3: u64 = 0;
let v4: u64 = 0;

function round(accumulator: u64, lane: u64): u64 {
  return rotl<u64>(accumulator + lane * P2, 31) * P1;
}

function merge(hash: u64, accumulator: u64): u64 {
  return (hash ^ round(0, accumulator)) * P1 + P4;
}

/** Starts a new hash. */
export function start(): void {
  v1 = P1 + P2;
  v2 = P2;
  v3 = 0;
  v4 = 0 - P1;
}

/** Takes in all whole stripes of 32 bytes from `from` to `to`; returns where the rest begins. */
export function takeStripes(from: usize, to: usize): usize {
  let a = v1;
  let b = v2;
  let c = v3;
  let d = v4;
  while (to - from >= 32) {
    a = round(a, load<u64>(from));
    b = round(b, load<u64>(from, 8));
    c = round(c, load<u64>(from, 16));
    d = round(d, load<u64>(from, 24));
    from += 32;
  }
  v1 = a;
  v2 = b;
  v3 = c;
  v4 = d;
  return from;
}

/** The hash of `total` bytes, of which the last, fewer than 32, lie between `from` and `to`. */
export function finish(total: u64, from: usize, to: usize): u64 {
  let hash: u64 = P5;
  if (total >= 32) {
    hash = rotl<u64>(v1, 1) + rotl<u64>(v2, 7) + rotl<u64>(v3, 12) + rotl<u64>(v4, 18);
    hash = merge(merge(merge(merge(hash, v1), v2), v3), v4);
  }
  hash += total;
  while (to - from >= 8) {
    hash = rotl<u64>(hash ^ round(0, load<u64>(from)), 27) * P1 + P4;
    from += 8;
  }
  if (to - from >= 4) {
    hash = rotl<u64>(hash ^ (<u64>load<u32>(from) * P1), 23) * P2 + P3;
    from += 4;
  }
  while (from < to) {
    hash = rotl<u64>(hash ^ (<u64>load<u8>(from) * P5), 11) * P1;
    from += 1;
  }
  hash = (hash ^ (hash >> 33)) * P2;
  hash = (hash ^ (hash >> 29)) * P3;
  return hash ^ (hash >> 32);
}
