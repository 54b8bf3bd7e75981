import { AppError } from "../../../core/errors.ts";
import { readDecimal } from "../binlog/decimal.ts";
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
  if (type === "decimal") return decimalLiteral(bytes);
  throw new AppError("SOURCE_PROTOCOL", "binlog event: a user variable of an unknown type");
}

/** Precision and scale stand in front of the digits. */
function decimalLiteral(bytes: Buffer): string {
  const [precision = 1, scale = 0] = bytes;
  return `CAST('${readDecimal(bytes.subarray(2), precision, scale)}' AS DECIMAL(${precision}, ${scale}))`;
}
