import { AppError } from "../../../core/errors.ts";
import { type BinlogEvent, EVENT } from "../binlog/event.ts";
import { type QueryEvent, readQuery } from "../binlog/query-event.ts";

/*
 * LOAD DATA in statement format: the file in blocks, then the statement with the place of the file's name in its text:
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication_binlog_event.html
 */

/** Files wait in memory for their statement, which comes last. */
const MOST_BYTES = 128 * 1024 * 1024;

export function isFileEvent(type: number): boolean {
  return type === EVENT.beginLoadQuery || type === EVENT.appendBlock || type === EVENT.deleteFile;
}

/** The files that the log has shown and no statement has used. */
export class LoadedFiles {
  readonly #blocks = new Map<number, Buffer[]>();
  #bytes = 0;

  /** Takes a file event in. Throws SOURCE_UNSUPPORTED for files that are too large to be kept. */
  add({ type, body }: BinlogEvent): void {
    const id = body.readUInt32LE(0);
    if (type === EVENT.deleteFile) {
      this.take(id);
      return;
    }
    const block = body.subarray(4);
    if (type === EVENT.beginLoadQuery) this.take(id);
    const blocks = this.#blocks.get(id) ?? [];
    blocks.push(block);
    this.#blocks.set(id, blocks);
    this.#bytes += block.length;
    if (this.#bytes <= MOST_BYTES) return;
    throw new AppError(
      "SOURCE_UNSUPPORTED",
      "the log holds LOAD DATA in statement format with a file of over 128 MiB",
      {
        hint: "Set binlog_format to ROW on the source; restore up to before this transaction, or from a later backup.",
      },
    );
  }

  take(id: number): Buffer[] {
    const blocks = this.#blocks.get(id) ?? [];
    this.#blocks.delete(id);
    this.#bytes -= blocks.reduce((sum, { length }) => sum + length, 0);
    return blocks;
  }
}

const QUERY_HEAD = 13;
const LOAD_HEAD = 13;
const REPLACES = 2;

/** The statement of an EXECUTE_LOAD_QUERY event, changed to take its file from us, and the number of the file. */
export function readLoadQuery(event: BinlogEvent): { query: QueryEvent; fileId: number } {
  const { body } = event;
  const plain = Buffer.concat([body.subarray(0, QUERY_HEAD), body.subarray(QUERY_HEAD + LOAD_HEAD)]);
  const query = readQuery({ ...event, body: plain });
  const fileId = body.readUInt32LE(QUERY_HEAD);
  const nameAt = body.readUInt32LE(QUERY_HEAD + 4);
  const nameEnd = body.readUInt32LE(QUERY_HEAD + 8);
  // The part between is INFILE, the name, and up to INTO.
  const source = ` LOCAL INFILE 'log'${body[QUERY_HEAD + 12] === REPLACES ? " REPLACE" : ""} INTO`;
  const sql = Buffer.concat([query.sql.subarray(0, nameAt), Buffer.from(source), query.sql.subarray(nameEnd)]);
  return { query: { ...query, sql }, fileId };
}
