import { Cursor, damaged } from "./cursor.ts";
import { type BinlogEvent, EVENT } from "./event.ts";
import type { Gtid } from "../gtid-set.ts";

/** The event in front of each transaction. */
export interface TransactionHead {
  /** Absent for an anonymous transaction (gtid_mode OFF). */
  gtid: Gtid | undefined;
  /** Logical clock, apart for each file: transactions may run together where neither depends on the other. */
  lastCommitted: bigint;
  sequenceNumber: bigint;
  /** Microseconds since 1970, by the clock of the server that sent it; 0 before 8.0. */
  immediateCommitMicros: bigint;
  /** Microseconds since 1970, by the clock of the server where it was committed first. */
  originalCommitMicros: bigint;
  /** Bytes of the whole transaction with this event; 0 where the server did not say. */
  transactionLength: bigint;
  /** The transaction may hold statements in statement format. */
  mayHaveStatements: boolean;
}

export function isTransactionHead(type: number): boolean {
  return type === EVENT.gtid || type === EVENT.gtidTagged || type === EVENT.anonymousGtid;
}

/** Reads GTID, ANONYMOUS_GTID and GTID_TAGGED events. */
export function readTransactionHead({ type, body }: BinlogEvent): TransactionHead {
  return type === EVENT.gtidTagged ? readTagged(new Cursor(body)) : readUntagged(new Cursor(body), type);
}

const LOGICAL_TIMESTAMPS = 2;
const MICROS_MASK = (1n << 55n) - 1n;

function readUntagged(cursor: Cursor, type: number): TransactionHead {
  const flags = cursor.uint8();
  const uuid = formatUuid(cursor.bytes(16));
  const number = cursor.int64();
  const head = {
    gtid: type === EVENT.gtid ? { uuid, tag: "", number } : undefined,
    lastCommitted: 0n,
    sequenceNumber: 0n,
    immediateCommitMicros: 0n,
    originalCommitMicros: 0n,
    transactionLength: 0n,
    mayHaveStatements: (flags & 1) === 1,
  };
  if (cursor.left < 17 || cursor.uint8() !== LOGICAL_TIMESTAMPS) return head;
  head.lastCommitted = cursor.int64();
  head.sequenceNumber = cursor.int64();
  if (cursor.left < 7) return head;
  const immediate = cursor.uint56();
  head.immediateCommitMicros = immediate & MICROS_MASK;
  // The top bit says that the original timestamp differs and follows.
  head.originalCommitMicros = immediate > MICROS_MASK ? cursor.uint56() : head.immediateCommitMicros;
  if (cursor.left > 0) head.transactionLength = cursor.packed();
  return head;
}

/*
 * GTID_TAGGED is written by mysql::serialization: version, size, last field that may not be ignored, then pairs of field
 * number and value: https://github.com/mysql/mysql-server/tree/trunk/libs/mysql/serialization
 */
const FIELD = {
  flags: 0n,
  uuid: 1n,
  number: 2n,
  tag: 3n,
  lastCommitted: 4n,
  sequenceNumber: 5n,
  immediateCommitMicros: 6n,
  originalCommitMicros: 7n,
  transactionLength: 8n,
} as const;

function readTagged(cursor: Cursor): TransactionHead {
  const version = cursor.varlen();
  if (version !== 1n) throw damaged(`GTID_TAGGED of serialization version ${version}, expected 1`);
  cursor.varlen();
  cursor.varlen();
  const head: TransactionHead = {
    gtid: undefined,
    lastCommitted: 0n,
    sequenceNumber: 0n,
    immediateCommitMicros: 0n,
    originalCommitMicros: 0n,
    transactionLength: 0n,
    mayHaveStatements: false,
  };
  const gtid = { uuid: "", tag: "", number: 0n };
  let hasOriginal = false;
  // Fields come in order; what a newer server adds comes last and may be left unread.
  while (cursor.left > 0) {
    const field = cursor.varlen();
    if (field === FIELD.flags) head.mayHaveStatements = (cursor.varlen() & 1n) === 1n;
    else if (field === FIELD.uuid) gtid.uuid = formatUuid(readArray(cursor, 16));
    else if (field === FIELD.number) gtid.number = cursor.signedVarlen();
    else if (field === FIELD.tag) gtid.tag = cursor.text(Number(cursor.varlen()));
    else if (field === FIELD.lastCommitted) head.lastCommitted = cursor.signedVarlen();
    else if (field === FIELD.sequenceNumber) head.sequenceNumber = cursor.signedVarlen();
    else if (field === FIELD.immediateCommitMicros) head.immediateCommitMicros = cursor.varlen();
    else if (field === FIELD.originalCommitMicros) {
      head.originalCommitMicros = cursor.varlen();
      hasOriginal = true;
    } else if (field === FIELD.transactionLength) head.transactionLength = cursor.varlen();
    else break;
  }
  if (gtid.uuid === "" || gtid.number < 1n) throw damaged("GTID_TAGGED without a GTID");
  if (!hasOriginal) head.originalCommitMicros = head.immediateCommitMicros;
  return { ...head, gtid };
}

/** Each element of an array is a variable-length integer, bytes too. */
function readArray(cursor: Cursor, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => Number(cursor.varlen())));
}

// Nearly all transactions of a log come from one server, and a log has millions.
let lastUuid = { bytes: Buffer.alloc(0), text: "" };

/** A UUID's 16 bytes as text. */
export function formatUuid(bytes: Buffer): string {
  if (!lastUuid.bytes.equals(bytes)) lastUuid = { bytes: Buffer.from(bytes), text: toUuid(bytes) };
  return lastUuid.text;
}

function toUuid(bytes: Buffer): string {
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
