import { AppError } from "../../../core/errors.ts";
import { type BinlogEvent, EVENT } from "../binlog/event.ts";
import { readIntegerVariable, readRandomSeeds, readUserVariable, type UserVariable } from "../binlog/event-bodies.ts";
import { quoteName } from "../quoting.ts";

/** Whether the event says something about the statement after it. */
export function isContextEvent(type: number): boolean {
  return type === EVENT.intvar || type === EVENT.rand || type === EVENT.userVar;
}

/** The statement that does what a context event says. All in ASCII, so that no character set of a session matters. */
export function contextStatement(event: BinlogEvent, collationName: (id: number) => CollationName): string {
  if (event.type === EVENT.intvar) {
    const { kind, value } = readIntegerVariable(event);
    return `SET ${kind === "insert_id" ? "INSERT_ID" : "LAST_INSERT_ID"} = ${value}`;
  }
  if (event.type === EVENT.rand) {
    const { first, second } = readRandomSeeds(event);
    return `SET @@SESSION.rand_seed1 = ${first}, @@SESSION.rand_seed2 = ${second}`;
  }
  return userVariable(readUserVariable(event), collationName);
}

export interface CollationName {
  charset: string;
  collation: string;
}

function userVariable({ name, value }: UserVariable, collationName: (id: number) => CollationName): string {
  if (value === undefined) return `SET @${quoteName(name)} := NULL`;
  return `SET @${quoteName(name)} := ${literal(value, collationName)}`;
}

function literal(
  { type, bytes, collation, isUnsigned }: NonNullable<UserVariable["value"]>,
  collationName: (id: number) => CollationName,
): string {
  if (type === "string") {
    const found = collationName(collation);
    return `_${found.charset} X'${bytes.toString("hex")}' COLLATE ${found.collation}`;
  }
  if (type === "integer") return String(isUnsigned ? bytes.readBigUInt64LE() : bytes.readBigInt64LE());
  if (type === "real") return bytes.readDoubleLE().toExponential();
  if (type === "decimal") return `CAST('${readDecimal(bytes)}' AS DECIMAL(${bytes[0] ?? 1}, ${bytes[1] ?? 0}))`;
  throw new AppError("SOURCE_PROTOCOL", "binlog event: a user variable of an unknown type");
}

const DIGITS_IN_WORD = 9;
const BYTES_OF_DIGITS = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];

/** Decodes precision, scale and MySQL's packed decimal: big-endian groups of nine digits, the sign in the first bit. */
export function readDecimal(bytes: Buffer): string {
  const [precision = 0, scale = 0] = bytes;
  const digits = Buffer.from(bytes.subarray(2));
  const isNegative = ((digits[0] ?? 0) & 0x80) === 0;
  digits[0] = (digits[0] ?? 0) ^ 0x80;
  if (isNegative) for (const [index, byte] of digits.entries()) digits[index] = byte ^ 0xff;
  let at = 0;
  const take = (count: number): string => {
    const size = BYTES_OF_DIGITS[count] ?? 4;
    const text = size === 0 ? "" : String(digits.readUIntBE(at, size)).padStart(count, "0");
    at += size;
    return text;
  };
  const whole = precision - scale;
  let text = take(whole % DIGITS_IN_WORD);
  for (let word = 0; word < Math.floor(whole / DIGITS_IN_WORD); word++) text += take(DIGITS_IN_WORD);
  text = text === "" ? "0" : text;
  if (scale > 0) text += ".";
  for (let word = 0; word < Math.floor(scale / DIGITS_IN_WORD); word++) text += take(DIGITS_IN_WORD);
  return (isNegative ? "-" : "") + text + take(scale % DIGITS_IN_WORD);
}
