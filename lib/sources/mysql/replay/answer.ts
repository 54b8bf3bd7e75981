import { AppError } from "../../../core/errors.ts";
import { toSourceError } from "../driver-errors.ts";

/*
 * What the server says to one statement: OK, ERR, or result sets, with CLIENT_PROTOCOL_41 and without
 * CLIENT_DEPRECATE_EOF: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response.html
 */

const HEADER_SIZE = 4;
const MAX_PAYLOAD = 0xff_ffff;
const MORE_RESULTS = 0x0008;
const OK = 0x00;
const LOCAL_FILE = 0xfb;
const EOF = 0xfe;
const ERROR = 0xff;

/** Reads one answer and keeps nothing of it but an error. */
export class AnswerReader {
  /** What the server refused the statement with; its words are in the cause. */
  error: AppError | undefined;
  #bytes: Buffer = Buffer.alloc(0);
  #part: "head" | "columns" | "rows" = "head";
  #continues = false;
  readonly #sendFile: ((sequence: number) => void) | undefined;

  /** `sendFile` sends the file that the server asks for, in packets from this number on. */
  constructor(sendFile?: (sequence: number) => void) {
    this.#sendFile = sendFile;
  }

  /** True once the answer is complete. Throws SOURCE_PROTOCOL. */
  push(bytes: Buffer): boolean {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
    let ended = false;
    for (;;) {
      if (this.#bytes.length < HEADER_SIZE) break;
      const length = this.#bytes.readUIntLE(0, 3);
      if (this.#bytes.length < HEADER_SIZE + length) break;
      const payload = this.#bytes.subarray(HEADER_SIZE, HEADER_SIZE + length);
      const sequence = this.#bytes[3] ?? 0;
      this.#bytes = this.#bytes.subarray(HEADER_SIZE + length);
      if (ended) throw unexpected("bytes after the end of an answer");
      if (!this.#continues) ended = this.#take(payload, sequence);
      this.#continues = length === MAX_PAYLOAD;
    }
    return ended;
  }

  #take(payload: Buffer, sequence: number): boolean {
    const first = payload[0];
    if (first === ERROR) {
      this.error = readError(payload);
      return true;
    }
    const isEof = first === EOF && payload.length < 9;
    if (this.#part === "head") {
      if (first === OK) return (okStatus(payload) & MORE_RESULTS) === 0;
      if (first === LOCAL_FILE) {
        if (this.#sendFile === undefined) throw unexpected("a request for a local file");
        this.#sendFile(sequence + 1);
        return false;
      }
      this.#part = "columns";
    } else if (isEof && this.#part === "columns") {
      this.#part = "rows";
    } else if (isEof) {
      this.#part = "head";
      return (payload.readUInt16LE(3) & MORE_RESULTS) === 0;
    }
    return false;
  }
}

/** The server status of an OK packet, behind two length-encoded numbers. */
function okStatus(payload: Buffer): number {
  let at = 1;
  for (let number = 0; number < 2; number++) {
    const first = payload[at] ?? 0;
    at += first < 0xfb ? 1 : first === 0xfc ? 3 : first === 0xfd ? 4 : 9;
  }
  return payload.readUInt16LE(at);
}

function readError(payload: Buffer): AppError {
  const number = payload.readUInt16LE(1);
  const state = payload.toString("latin1", 4, 9);
  const cause = Object.assign(new Error(payload.toString("utf8", 9)), { code: `SQLSTATE ${state}`, errno: number });
  return toSourceError(cause, "replaying");
}

function unexpected(what: string): AppError {
  return new AppError("SOURCE_PROTOCOL", `replaying: the target sent ${what}`, {
    hint: "Look for a proxy between here and the server; if there is none, report this.",
  });
}
