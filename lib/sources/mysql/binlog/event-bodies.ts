import { decodeGtidSet } from "../gtid-codec.ts";
import type { GtidSet } from "../gtid-set.ts";
import { Cursor } from "./cursor.ts";
import { type BinlogEvent, EVENT } from "./event.ts";

/** Where the log goes on. */
export interface Rotation {
  file: string;
  /** Of the first event there. */
  position: bigint;
}

/** Reads a ROTATE event, whether the server wrote it or made it up for this connection. */
export function readRotation({ body }: BinlogEvent): Rotation {
  const cursor = new Cursor(body);
  const position = cursor.uint64();
  return { position, file: cursor.rest().toString("utf8") };
}

/** Where the server is while it has nothing to send. The first version of the event has a position of 32 bits. */
export function readHeartbeat({ type, body, nextPosition }: BinlogEvent): Rotation {
  if (type === EVENT.heartbeat) return { file: body.toString("utf8"), position: BigInt(nextPosition) };
  const cursor = new Cursor(body);
  const found: Rotation = { file: "", position: 0n };
  for (let field = cursor.uint8(); field !== 0; field = cursor.uint8()) {
    const value = cursor.bytes(cursor.packedLength());
    if (field === 1) found.file = value.toString("utf8");
    if (field === 2) found.position = new Cursor(value).packed();
  }
  return found;
}

/** Reads a PREVIOUS_GTIDS event: everything in the files before this one. */
export function readPreviousGtids({ body }: BinlogEvent): GtidSet {
  return decodeGtidSet(body);
}

/** The engine's transaction number, of an XID event. */
export function readXid({ body }: BinlogEvent): bigint {
  return new Cursor(body).uint64();
}

/** Something that the server executed and could not log. */
export interface Incident {
  /** 1: events were lost. */
  number: number;
  message: string;
}

export function readIncident({ body }: BinlogEvent): Incident {
  const cursor = new Cursor(body);
  const number = cursor.uint16();
  return { number, message: cursor.left > 0 ? cursor.text(cursor.uint8()) : "" };
}

/** LAST_INSERT_ID (1) or the next AUTO_INCREMENT value (2) that the next statement uses. */
export interface IntegerVariable {
  kind: "last_insert_id" | "insert_id";
  value: bigint;
}

export function readIntegerVariable({ body }: BinlogEvent): IntegerVariable {
  const cursor = new Cursor(body);
  return { kind: cursor.uint8() === 1 ? "last_insert_id" : "insert_id", value: cursor.uint64() };
}

/** The two seeds of RAND() that the next statement uses. */
export interface RandomSeeds {
  first: bigint;
  second: bigint;
}

export function readRandomSeeds({ body }: BinlogEvent): RandomSeeds {
  const cursor = new Cursor(body);
  return { first: cursor.uint64(), second: cursor.uint64() };
}

/** A user variable that the next statement reads. */
export interface UserVariable {
  name: string;
  /** Undefined for NULL. */
  value: { type: UserVariableType; collation: number; bytes: Buffer; isUnsigned: boolean } | undefined;
}

export type UserVariableType = "string" | "real" | "integer" | "decimal" | "unknown";

const USER_VARIABLE_TYPES: Record<number, UserVariableType> = { 0: "string", 1: "real", 2: "integer", 4: "decimal" };

export function readUserVariable({ body }: BinlogEvent): UserVariable {
  const cursor = new Cursor(body);
  const name = cursor.text(cursor.uint32());
  if (cursor.uint8() === 1) return { name, value: undefined };
  const type = USER_VARIABLE_TYPES[cursor.uint8()] ?? "unknown";
  const collation = cursor.uint32();
  const bytes = cursor.bytes(cursor.uint32());
  const isUnsigned = cursor.left > 0 && (cursor.uint8() & 1) === 1;
  return { name, value: { type, collation, bytes, isUnsigned } };
}

/** The statement that the row events after it come from. */
export function readRowsQuery({ body }: BinlogEvent): string {
  // A first byte holds the length as far as it fits, and is not to be used.
  return body.toString("utf8", 1);
}

/** An XA transaction's identifier, and whether it was committed in one phase. */
export interface XaPrepare {
  onePhase: boolean;
  formatId: number;
  globalId: Buffer;
  branch: Buffer;
}

export function readXaPrepare({ body }: BinlogEvent): XaPrepare {
  const cursor = new Cursor(body);
  const onePhase = cursor.uint8() !== 0;
  const formatId = cursor.uint32();
  const globalLength = cursor.uint32();
  const branchLength = cursor.uint32();
  return { onePhase, formatId, globalId: cursor.bytes(globalLength), branch: cursor.bytes(branchLength) };
}
