import { AppError } from "../../core/errors.ts";
import { serverError } from "./driver-errors.ts";

/*
 * The few packets that we read and write ourselves, with CLIENT_PROTOCOL_41 and without CLIENT_DEPRECATE_EOF and
 * CLIENT_QUERY_ATTRIBUTES: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html
 */

const HEADER_SIZE = 4;
const MAX_PAYLOAD = 0xff_ffff;
const COM_QUERY = 0x03;

/** A COM_QUERY packet. */
export function queryPacket(sql: string): Buffer {
  const text = Buffer.from(sql);
  const length = text.length + 1;
  if (length >= MAX_PAYLOAD) throw new AppError("INVARIANT", "a statement of 16 MiB has no place here");
  const packet = Buffer.allocUnsafe(HEADER_SIZE + length);
  packet.writeUIntLE(length, 0, 3);
  packet[3] = 0;
  packet[HEADER_SIZE] = COM_QUERY;
  text.copy(packet, HEADER_SIZE + 1);
  return packet;
}

/** No such database, table or column: a SELECT made from the table's definition meets them only after a change of it. */
const GONE = new Set([1049, 1054, 1146]);

/** The error that an ERR packet's payload carries. Its text can quote data, and is left out. */
export function errorPacket(payload: Buffer, context: string): AppError {
  const number = payload.readUInt16LE(1);
  if (GONE.has(number)) {
    return new AppError("SOURCE_DDL_DURING_BACKUP", `${context}: server error ${number}`, {
      hint: "Run it again when the schema changes are done.",
    });
  }
  const state = payload.toString("latin1", 4, 9);
  return serverError({ number, name: `SQLSTATE ${state}` }, context);
}

/** What comes before the rows of a result set. */
export interface ResultHead {
  columns: number;
  /** Packet number of the first row. */
  nextSequence: number;
  /** Bytes that came with the head and belong to the rows. */
  rest: Buffer;
}

/**
 * Collects the packets in front of the rows: column count, column definitions, EOF. Feed it until it returns a head.
 * Throws the error that the server sent instead.
 */
export class ResultHeadReader {
  #bytes = Buffer.alloc(0);
  #columns: number | undefined;
  #definitions = 0;

  push(bytes: Buffer, context: string): ResultHead | undefined {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    for (;;) {
      const packet = this.#takePacket();
      if (packet === undefined) return undefined;
      if (packet.payload[0] === 0xff) throw errorPacket(packet.payload, context);
      if (this.#columns === undefined) this.#columns = readCount(packet.payload);
      else if (this.#definitions < this.#columns) this.#definitions += 1;
      else if (packet.payload[0] === 0xfe && packet.payload.length < 9) {
        return { columns: this.#columns, nextSequence: (packet.sequence + 1) & 0xff, rest: this.#bytes };
      } else throw unexpected();
    }
  }

  #takePacket(): { payload: Buffer; sequence: number } | undefined {
    if (this.#bytes.length < HEADER_SIZE) return undefined;
    const end = HEADER_SIZE + this.#bytes.readUIntLE(0, 3);
    if (end === HEADER_SIZE) throw unexpected();
    if (this.#bytes.length < end) return undefined;
    const sequence = this.#bytes.readUInt8(3);
    const payload = this.#bytes.subarray(HEADER_SIZE, end);
    this.#bytes = this.#bytes.subarray(end);
    return { payload, sequence };
  }
}

/** The server's limit is 4096 columns, so the count takes one byte or three. */
function readCount(payload: Buffer): number {
  const first = payload.readUInt8(0);
  if (first > 0 && first < 0xfb) return first;
  if (first === 0xfc && payload.length >= 3) return payload.readUInt16LE(1);
  throw unexpected();
}

function unexpected(): AppError {
  return new AppError("SOURCE_PROTOCOL", "reading rows: the server's answer is not a result set", {
    hint: "Look for a proxy between here and the server; if there is none, report this.",
  });
}
