import { AppError } from "../../../core/errors.ts";

/** Reads the fields of an event one after the other. Reading past the end throws SOURCE_PROTOCOL. */
export class Cursor {
  readonly #bytes: Buffer;
  #offset: number;

  constructor(bytes: Buffer, offset = 0) {
    this.#bytes = bytes;
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  get left(): number {
    return this.#bytes.length - this.#offset;
  }

  uint8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  uint16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  uint24(): number {
    return this.#bytes.readUIntLE(this.#take(3), 3);
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  uint48(): number {
    return this.#bytes.readUIntLE(this.#take(6), 6);
  }

  uint56(): bigint {
    const low = this.uint32();
    return (BigInt(this.uint24()) << 32n) | BigInt(low);
  }

  uint64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8));
  }

  int64(): bigint {
    return this.#bytes.readBigInt64LE(this.#take(8));
  }

  /** A length-encoded integer of the client protocol. */
  packed(): bigint {
    const first = this.uint8();
    if (first < 0xfb) return BigInt(first);
    if (first === 0xfc) return BigInt(this.uint16());
    if (first === 0xfd) return BigInt(this.uint24());
    if (first === 0xfe) return this.uint64();
    throw damaged("a length starts with 0xfb or 0xff");
  }

  /** A length-encoded integer that counts something in memory. */
  packedLength(): number {
    return Number(this.packed());
  }

  /** A variable-length integer of `mysql::serialization`: as many low 1 bits in the first byte as bytes follow. */
  varlen(): bigint {
    const first = this.uint8();
    if (first === 0xff) return this.uint64();
    let extra = 0;
    while (((first >> extra) & 1) === 1) extra++;
    let value = BigInt(first >> (extra + 1));
    const lowBits = BigInt(7 - extra);
    for (let index = 0; index < extra; index++) value |= BigInt(this.uint8()) << (lowBits + BigInt(8 * index));
    return value;
  }

  /** The same with a sign in the lowest bit. */
  signedVarlen(): bigint {
    const value = this.varlen();
    return (value & 1n) === 1n ? -(value >> 1n) - 1n : value >> 1n;
  }

  bytes(length: number): Buffer {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  text(length: number): string {
    return this.bytes(length).toString("utf8");
  }

  skip(length: number): void {
    this.#take(length);
  }

  rest(): Buffer {
    return this.bytes(this.left);
  }

  /** Bytes up to a NUL, which is read as well. */
  untilNul(): Buffer {
    const end = this.#bytes.indexOf(0, this.#offset);
    if (end === -1) throw damaged("a text has no end");
    const text = this.bytes(end - this.#offset);
    this.skip(1);
    return text;
  }

  #take(length: number): number {
    const start = this.#offset;
    if (start + length > this.#bytes.length)
      throw damaged(`it ends ${start + length - this.#bytes.length} bytes early`);
    this.#offset = start + length;
    return start;
  }
}

/** The error of an event that is not what its type promises. */
export function damaged(what: string): AppError {
  return new AppError("SOURCE_PROTOCOL", `binlog event: ${what}`, {
    hint: "The binary log is damaged or of an unknown version; compare with mysqlbinlog --verify-binlog-checksum.",
  });
}
