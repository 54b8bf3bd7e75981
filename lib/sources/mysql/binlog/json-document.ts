import { Cursor, damaged } from "./cursor.ts";
import { readDecimal } from "./decimal.ts";
import { readPackedTemporal } from "./temporal-values.ts";

/*
 * MySQL's binary JSON, as text: https://dev.mysql.com/doc/dev/mysql-server/latest/json__binary_8h.html
 * A value is a type and a place; offsets in an object or array count from its own start.
 */

const JSON_TYPE = {
  smallObject: 0x00,
  largeObject: 0x01,
  smallArray: 0x02,
  largeArray: 0x03,
  literal: 0x04,
  int16: 0x05,
  uint16: 0x06,
  int32: 0x07,
  uint32: 0x08,
  int64: 0x09,
  uint64: 0x0a,
  double: 0x0b,
  string: 0x0c,
  opaque: 0x0f,
} as const;

const LITERALS = ["null", "true", "false"];

/** Types of opaque values, as those of columns. */
const OPAQUE = { timestamp: 7, date: 10, time: 11, datetime: 12, decimal: 246 } as const;

/** The document as text. Once `limit` characters are reached, the rest is left away. Throws SOURCE_PROTOCOL. */
export function readJsonText(document: Buffer, limit: number): string {
  // An empty value is what the server takes for null, too.
  if (document.length === 0) return "null";
  const writer = new JsonWriter(limit);
  writer.value(document.readUInt8(0), document.subarray(1));
  return writer.text;
}

const OPERATIONS = ["replace", "insert", "remove"];

/** The differences of a partial update, one a line: `replace $.a = 1`. */
export function readJsonDifferences(differences: Buffer, limit: number): string {
  const cursor = new Cursor(differences);
  const lines: string[] = [];
  let left = limit;
  while (cursor.left > 0 && left > 0) {
    const operation = OPERATIONS[cursor.uint8()];
    if (operation === undefined) throw damaged("an unknown change of a JSON document");
    const path = cursor.text(cursor.packedLength());
    const value = operation === "remove" ? "" : ` = ${readJsonText(cursor.bytes(cursor.packedLength()), left)}`;
    const line = `${operation} ${path}${value}`;
    lines.push(line);
    left -= line.length;
  }
  return lines.join("; ");
}

class JsonWriter {
  text = "";
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Writes the value of that type which starts at the start of `bytes`. */
  value(type: number, bytes: Buffer): void {
    if (this.#isFull) return;
    if (type <= JSON_TYPE.largeArray) this.#container(type, bytes);
    else this.text += this.#scalar(type, bytes);
  }

  get #isFull(): boolean {
    return this.text.length >= this.#limit;
  }

  #container(type: number, bytes: Buffer): void {
    const isObject = type === JSON_TYPE.smallObject || type === JSON_TYPE.largeObject;
    const isLarge = type === JSON_TYPE.largeObject || type === JSON_TYPE.largeArray;
    const width = isLarge ? 4 : 2;
    const number = (at: number): number => bytes.readUIntLE(at, width);
    const count = number(0);
    const keysAt = 2 * width;
    const valuesAt = keysAt + (isObject ? count * (width + 2) : 0);
    this.text += isObject ? "{" : "[";
    for (let index = 0; index < count && !this.#isFull; index++) {
      if (index > 0) this.text += ", ";
      if (isObject) {
        const keyAt = keysAt + index * (width + 2);
        const start = number(keyAt);
        const length = bytes.readUInt16LE(keyAt + width);
        this.text += `${JSON.stringify(bytes.toString("utf8", start, start + length))}: `;
      }
      const entryAt = valuesAt + index * (width + 1);
      const valueType = bytes.readUInt8(entryAt);
      this.value(valueType, bytes.subarray(isInlined(valueType, isLarge) ? entryAt + 1 : number(entryAt + 1)));
    }
    this.text += isObject ? "}" : "]";
  }

  #scalar(type: number, bytes: Buffer): string {
    switch (type) {
      case JSON_TYPE.literal:
        return LITERALS[bytes.readUInt8(0)] ?? "null";
      case JSON_TYPE.int16:
        return String(bytes.readInt16LE(0));
      case JSON_TYPE.uint16:
        return String(bytes.readUInt16LE(0));
      case JSON_TYPE.int32:
        return String(bytes.readInt32LE(0));
      case JSON_TYPE.uint32:
        return String(bytes.readUInt32LE(0));
      case JSON_TYPE.int64:
        return String(bytes.readBigInt64LE(0));
      case JSON_TYPE.uint64:
        return String(bytes.readBigUInt64LE(0));
      case JSON_TYPE.double:
        return formatDouble(bytes.readDoubleLE(0));
      case JSON_TYPE.string:
        return JSON.stringify(readCounted(bytes, this.#limit).toString("utf8"));
      case JSON_TYPE.opaque:
        return formatOpaque(bytes.readUInt8(0), readCounted(bytes.subarray(1), this.#limit));
      default:
        throw damaged(`a JSON value of the unknown type ${type}`);
    }
  }
}

/** Small numbers and literals stand where others have their offset. */
function isInlined(type: number, isLarge: boolean): boolean {
  if (type === JSON_TYPE.literal || type === JSON_TYPE.int16 || type === JSON_TYPE.uint16) return true;
  return isLarge && (type === JSON_TYPE.int32 || type === JSON_TYPE.uint32);
}

/** Bytes with their length in front, seven bits a byte; no more of them than `limit`. */
function readCounted(bytes: Buffer, limit: number): Buffer {
  let length = 0;
  let at = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes.readUInt8(at++);
    length += (byte & 0x7f) * 2 ** shift;
    if ((byte & 0x80) === 0) break;
  }
  return bytes.subarray(at, at + Math.min(length, limit));
}

/** As the server writes it: a double is told from an integer. */
function formatDouble(value: number): string {
  const text = Object.is(value, -0) ? "-0" : String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

function formatOpaque(type: number, bytes: Buffer): string {
  if (type === OPAQUE.decimal) return readDecimal(bytes.subarray(2), bytes.readUInt8(0), bytes.readUInt8(1));
  if (type === OPAQUE.date) return `"${readPackedTemporal(bytes, "date")}"`;
  if (type === OPAQUE.time) return `"${readPackedTemporal(bytes, "time")}"`;
  if (type === OPAQUE.datetime || type === OPAQUE.timestamp) return `"${readPackedTemporal(bytes, "datetime")}"`;
  return `"base64:type${type}:${bytes.toString("base64")}"`;
}
