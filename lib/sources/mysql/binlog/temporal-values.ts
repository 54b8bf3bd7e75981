/*
 * Dates and times as rows and JSON documents hold them:
 * https://dev.mysql.com/doc/dev/mysql-internals/en/date-and-time-data-type-representation.html
 */

const pad = (value: number, digits = 2): string => String(value).padStart(digits, "0");

/** DATE: three bytes. */
export function readDate(bytes: Buffer): string {
  const value = bytes.readUIntLE(0, 3);
  return `${pad(value >> 9, 4)}-${pad((value >> 5) & 15)}-${pad(value & 31)}`;
}

/** TIME with up to six decimals: the number and its fraction as one big-endian number, moved so that it is never negative. */
export function readTime(bytes: Buffer, scale: number): string {
  const fractionBits = 8 * (bytes.length - 3);
  const value = bytes.readUIntBE(0, bytes.length) - 0x80_0000 * 2 ** fractionBits;
  const amount = Math.abs(value);
  const fraction = amount % 2 ** fractionBits;
  return (value < 0 ? "-" : "") + clock(Math.floor(amount / 2 ** fractionBits)) + decimals(fraction, scale);
}

/** DATETIME with up to six decimals: five bytes, then those of the fraction. */
export function readDateTime(bytes: Buffer, scale: number): string {
  const value = bytes.readUIntBE(0, 5) - 0x80_0000_0000;
  return dateAndClock(value) + decimals(readFraction(bytes, 5), scale);
}

/** TIMESTAMP with up to six decimals, in UTC: seconds since 1970, then the fraction. */
export function readTimestamp(bytes: Buffer, scale: number): string {
  const seconds = bytes.readUInt32BE(0);
  const text = seconds === 0 ? "0000-00-00 00:00:00" : new Date(seconds * 1000).toISOString().slice(0, 19);
  return text.replace("T", " ") + decimals(readFraction(bytes, 4), scale);
}

/** The number that a JSON document holds for a date or time: fraction in the lowest 24 bits, negative for a negative TIME. */
export function readPackedTemporal(bytes: Buffer, kind: "date" | "time" | "datetime"): string {
  const packed = bytes.readBigInt64LE();
  const amount = packed < 0n ? -packed : packed;
  const whole = Number(amount >> 24n);
  const micros = `.${pad(Number(amount & 0xff_ffffn), 6)}`;
  if (kind === "time") return (packed < 0n ? "-" : "") + clock(whole) + micros;
  const text = dateAndClock(whole);
  return kind === "date" ? text.slice(0, 10) : text + micros;
}

/** Hours may have three digits; twelve bits hold them. */
function clock(value: number): string {
  return `${pad(value >> 12)}:${pad((value >> 6) & 63)}:${pad(value & 63)}`;
}

function dateAndClock(value: number): string {
  // Past 32 bits.
  const date = Math.floor(value / 2 ** 17);
  const yearAndMonth = date >> 5;
  const day = `${pad(Math.floor(yearAndMonth / 13), 4)}-${pad(yearAndMonth % 13)}-${pad(date & 31)}`;
  return `${day} ${clock(value % 2 ** 17)}`;
}

function readFraction(bytes: Buffer, start: number): number {
  return bytes.length > start ? bytes.readUIntBE(start, bytes.length - start) : 0;
}

/** A fraction is stored in two decimals a byte. */
function decimals(fraction: number, scale: number): string {
  if (scale === 0) return "";
  return `.${pad(fraction, 2 * ((scale + 1) >> 1)).slice(0, scale)}`;
}
