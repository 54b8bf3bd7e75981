// XXH64 with seed 0, straight from its specification: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md

const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotate = (value: bigint, bits: bigint): bigint => u64((value << bits) | (value >> (64n - bits)));
const round = (accumulator: bigint, lane: bigint): bigint => u64(rotate(u64(accumulator + lane * P2), 31n) * P1);

/** The slow and plain way, for tests. */
export function xxh64(data: Buffer): bigint {
  const lanes = [u64(P1 + P2), P2, 0n, u64(-P1)];
  let at = 0;
  let hash = P5;
  if (data.length >= 32) {
    for (; at + 32 <= data.length; at += 32) {
      for (const [index, lane] of lanes.entries()) lanes[index] = round(lane, data.readBigUInt64LE(at + index * 8));
    }
    hash = u64([1n, 7n, 12n, 18n].reduce((sum, bits, index) => sum + rotate(lanes[index] ?? 0n, bits), 0n));
    for (const lane of lanes) hash = u64((hash ^ round(0n, lane)) * P1 + P4);
  }
  hash = u64(hash + BigInt(data.length));
  for (; at + 8 <= data.length; at += 8) {
    hash = u64(rotate(hash ^ round(0n, data.readBigUInt64LE(at)), 27n) * P1 + P4);
  }
  if (at + 4 <= data.length) {
    hash = u64(rotate(hash ^ u64(BigInt(data.readUInt32LE(at)) * P1), 23n) * P2 + P3);
    at += 4;
  }
  for (; at < data.length; at++) hash = u64(rotate(hash ^ u64(BigInt(data.readUInt8(at)) * P5), 11n) * P1);
  hash = u64((hash ^ (hash >> 33n)) * P2);
  hash = u64((hash ^ (hash >> 29n)) * P3);
  return hash ^ (hash >> 32n);
}
