import { decodeText, isBinary } from "./character-sets.ts";
import type { ColumnDetails } from "./column-details.ts";
import { type ColumnType, TYPE } from "./column-types.ts";
import { readDecimal } from "./decimal.ts";
import { readJsonDifferences, readJsonText } from "./json-document.ts";
import type { StoredValue } from "./row-images.ts";
import { readDate, readDateTime, readTime, readTimestamp } from "./temporal-values.ts";

/** What of a value is shown at most, in characters. */
const SHOWN_CHARACTERS = 2000;

const INTEGER_BYTES: Record<number, number> = { [TYPE.tiny]: 1, [TYPE.short]: 2, [TYPE.int24]: 3, [TYPE.long]: 4 };
const TEXTS = new Set<number>([TYPE.varchar, TYPE.varString, TYPE.string, TYPE.blob]);

/**
 * A stored value as text: numbers and times as SQL writes them, texts decoded, bytes as 0x…, differences of a JSON document
 * one after the other. A long one is cut, and says its length. Throws SOURCE_PROTOCOL.
 */
export function formatValue(stored: StoredValue, column: ColumnType, details: ColumnDetails): string | null {
  const { bytes, isDifference } = stored;
  if (bytes === null) return null;
  const { type, scale } = column;
  if (TEXTS.has(type)) return formatText(bytes, column, details);
  if (type === TYPE.json) {
    const read = isDifference ? readJsonDifferences : readJsonText;
    return cut(read(bytes, SHOWN_CHARACTERS + 1), bytes.length);
  }
  if (type === TYPE.longlong) return String(details.isUnsigned ? bytes.readBigUInt64LE() : bytes.readBigInt64LE());
  const integerBytes = INTEGER_BYTES[type];
  if (integerBytes !== undefined) {
    return String(details.isUnsigned ? bytes.readUIntLE(0, integerBytes) : bytes.readIntLE(0, integerBytes));
  }
  switch (type) {
    case TYPE.decimal:
      return readDecimal(bytes, column.size, scale);
    case TYPE.float:
      return formatFloat(bytes.readFloatLE());
    case TYPE.double:
      return formatDouble(bytes.readDoubleLE());
    case TYPE.date:
    case TYPE.newDate:
      return readDate(bytes);
    case TYPE.time2:
      return readTime(bytes, scale);
    case TYPE.datetime2:
      return readDateTime(bytes, scale);
    case TYPE.timestamp2:
      return readTimestamp(bytes, scale);
    case TYPE.year:
      return bytes.readUInt8() === 0 ? "0000" : String(1900 + bytes.readUInt8());
    case TYPE.bit:
      return `b'${toBits(bytes).slice(-column.size)}'`;
    case TYPE.enum:
      return formatEnum(bytes, details);
    case TYPE.set:
      return formatSet(bytes, details);
    default:
      return toHex(bytes);
  }
}

function formatText(bytes: Buffer, { type, size }: ColumnType, { collation }: ColumnDetails): string {
  if (isBinary(collation)) {
    // BINARY is stored without the zeros at its end.
    const zeros = type === TYPE.string ? Math.max(0, size - bytes.length) : 0;
    return toHex(zeros > 0 ? Buffer.concat([bytes, Buffer.alloc(zeros)]) : bytes);
  }
  // Four bytes make a character at most.
  const isCut = bytes.length > 4 * SHOWN_CHARACTERS;
  const text = decodeText(isCut ? bytes.subarray(0, 4 * SHOWN_CHARACTERS) : bytes, collation, isCut);
  return text === undefined ? toHex(bytes) : cut(text, bytes.length, isCut || text.length > SHOWN_CHARACTERS);
}

function formatEnum(bytes: Buffer, { members, collation }: ColumnDetails): string {
  const number = bytes.readUIntLE(0, bytes.length);
  if (number === 0) return "";
  return memberText(members?.[number - 1], collation) ?? String(number);
}

function formatSet(bytes: Buffer, { members, collation }: ColumnDetails): string {
  const bits = bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  if (members === undefined) return String(bits);
  const chosen = members.filter((_, index) => ((bits >> BigInt(index)) & 1n) === 1n);
  return chosen.map((member) => memberText(member, collation) ?? toHex(member)).join(",");
}

function memberText(member: Buffer | undefined, collation: number | undefined): string | undefined {
  return member && decodeText(member, collation);
}

/** The shortest number that is stored as the same four bytes. */
function formatFloat(value: number): string {
  for (let digits = 6; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return formatDouble(short);
  }
  return formatDouble(value);
}

function formatDouble(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

function toBits(bytes: Buffer): string {
  return Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
}

function toHex(bytes: Buffer): string {
  const shown = bytes.subarray(0, SHOWN_CHARACTERS / 2);
  return cut(`0x${shown.toString("hex")}`, bytes.length, shown.length < bytes.length);
}

function cut(text: string, sizeBytes: number, isCut = text.length > SHOWN_CHARACTERS): string {
  return isCut ? `${text.slice(0, SHOWN_CHARACTERS)}… (${sizeBytes} bytes)` : text;
}
