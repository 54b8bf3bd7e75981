import { type KeyObject, randomBytes } from "node:crypto";

// ECDSA on P-256 over a digest that is given, which node:crypto does not offer: its `sign` always hashes first. For a double
// of a key service only; it takes its time, and the time it takes depends on the key.

const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const A = P - 3n;
const G: Point = [
  0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
];

type Point = readonly [x: bigint, y: bigint];

/** r and s, 64 bytes, over a SHA-256 digest. */
export function signDigest(digest: Uint8Array, privateKey: KeyObject): Buffer {
  const d = toBigInt(Buffer.from(privateKey.export({ format: "jwk" }).d ?? "", "base64url"));
  const k = (toBigInt(randomBytes(40)) % (N - 1n)) + 1n;
  const r = multiply(G, k)[0] % N;
  const s = (inverse(k, N) * (toBigInt(digest) + r * d)) % N;
  return r === 0n || s === 0n ? signDigest(digest, privateKey) : Buffer.concat([toBytes(r), toBytes(s)]);
}

function multiply(point: Point, factor: bigint): Point {
  let sum: Point | undefined;
  let power = point;
  for (let rest = factor; rest > 0n; rest >>= 1n) {
    if (rest & 1n) sum = sum ? add(sum, power) : power;
    power = add(power, power);
  }
  return sum ?? point;
}

function add([x1, y1]: Point, [x2, y2]: Point): Point {
  const slope = x1 === x2 ? (3n * x1 * x1 + A) * inverse(2n * y1, P) : (y2 - y1) * inverse(x2 - x1, P);
  const x = modulo(slope * slope - x1 - x2, P);
  return [x, modulo(slope * (x1 - x) - y1, P)];
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [modulo(value, modulus), modulus, 1n, 0n];
  while (a > 1n) [a, b, x, y] = [b % a, a, y - (b / a) * x, x];
  return modulo(x, modulus);
}

function modulo(value: bigint, modulus: bigint): bigint {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}

function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}

function toBytes(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, "0"), "hex");
}
