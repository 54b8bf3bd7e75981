import { AppError } from "../../core/errors.ts";
import type { DivertedSocket, MysqlConnection } from "./connection.ts";
import { toSourceError } from "./driver-errors.ts";
import { queryPacket, type ResultHead, ResultHeadReader } from "./packets.ts";
import { type Guards, MAX_TEXT_BYTES, RowKernel } from "./row-kernel.ts";
import { BufferPool } from "../../core/buffer-pool.ts";

/** The server gathers what it sends in a buffer as long as the longest statement that it has read, 16 KiB at first. */
const SEND_BYTES = 256 * 1024;

/**
 * Sets a connection up for rows: column values come as they are stored, in whatever character set. The blanks make the
 * server send in few and large pieces, which saves both sides a tenth of their time.
 */
export const ROW_SESSION = "SET SESSION character_set_results = NULL".padEnd(SEND_BYTES);

/** Pieces of text that wait for their reader before the socket is paused. */
const QUEUE_LIMIT = 2;

/** What a finished read adds up to. */
export interface RowTotals {
  rows: number;
  /** Sum of the rows' XXH64, modulo 2^64. */
  sum: bigint;
  /** Bytes of text. */
  bytes: number;
  /** Rows that a guard kept out; they count in none of the above. */
  skipped: number;
}

/** A SELECT whose rows can be read. */
export interface RowQuery {
  sql: string;
  guards: Guards;
  /** Begins error messages: "reading `shop`.`orders`". */
  context: string;
}

/**
 * Reads the rows of SELECTs on one connection as LOAD DATA text, straight from the socket, past mysql2's row parser.
 * One read at a time; in between, the connection's own statements work as usual.
 */
export class RowReader {
  readonly #connection: MysqlConnection;
  readonly #kernel = new RowKernel();
  readonly #pool = new BufferPool(MAX_TEXT_BYTES);

  constructor(connection: MysqlConnection) {
    this.#connection = connection;
  }

  /** Gives the memory of a piece back, for the pieces to come. Calling it is worth it, and never needed. */
  recycle(piece: Uint8Array): void {
    this.#pool.recycle(piece);
  }

  /**
   * Streams the rows of a query in pieces of a few MiB, and returns the totals at the end. The session must be set up by
   * `ROW_SESSION`. A reader that stops early, or a failure, destroys the connection: the
   * server would go on sending. Throws the SOURCE_… codes.
   */
  async *read(query: RowQuery): AsyncGenerator<Buffer, RowTotals, undefined> {
    const result = new ResultQueue(this.#connection, this.#kernel, this.#pool, query);
    let bytes = 0;
    try {
      for (;;) {
        const text = await result.next();
        if (text === undefined) break;
        bytes += text.length;
        yield text;
      }
    } finally {
      result.stop();
      if (!result.ended) this.#connection.destroy();
    }
    return { rows: this.#kernel.rows, sum: this.#kernel.sum, bytes, skipped: this.#kernel.skipped };
  }
}

/** The state of one read: head → rows → ended or failed. Text waits here while the socket is paused. */
class ResultQueue {
  ended = false;
  readonly #diverted: DivertedSocket;
  readonly #kernel: RowKernel;
  readonly #pool: BufferPool;
  readonly #query: RowQuery;
  readonly #head = new ResultHeadReader();
  readonly #texts: Buffer[] = [];
  #inRows = false;
  #failure: AppError | undefined;
  #wake: (() => void) | undefined;

  constructor(connection: MysqlConnection, kernel: RowKernel, pool: BufferPool, query: RowQuery) {
    this.#kernel = kernel;
    this.#pool = pool;
    this.#query = query;
    this.#diverted = connection.divert(this.#onBytes);
    const { socket } = this.#diverted;
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
    if (socket.destroyed) this.#onClose();
    else socket.write(queryPacket(query.sql));
  }

  /** Gives the socket back; what was not read is left in it. */
  stop(): void {
    const { socket } = this.#diverted;
    socket.off("error", this.#onError);
    socket.off("close", this.#onClose);
    this.#diverted.restore();
    if (!socket.destroyed) socket.resume();
  }

  /** The next piece of text; undefined at the end. */
  async next(): Promise<Buffer | undefined> {
    while (this.#texts.length === 0 && !this.ended && this.#failure === undefined) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#failure !== undefined) throw this.#failure;
    const text = this.#texts.shift();
    if (!this.ended && this.#texts.length < QUEUE_LIMIT) this.#diverted.socket.resume();
    return text;
  }

  readonly #onBytes = (bytes: Buffer): void => {
    try {
      this.#take(bytes);
    } catch (error: unknown) {
      this.#fail(error);
    }
  };

  #take(bytes: Buffer): void {
    if (this.ended || this.#failure !== undefined)
      throw new AppError("SOURCE_PROTOCOL", `${this.#query.context}: bytes after the last row`);
    let rows = bytes;
    if (!this.#inRows) {
      const head: ResultHead | undefined = this.#head.push(bytes, this.#query.context);
      if (head === undefined) return;
      this.#kernel.reset(head.columns, this.#query.guards, head.nextSequence);
      this.#inRows = true;
      rows = head.rest;
    }
    if (this.#kernel.push(rows, this.#query.context, this.#emit) === "ended") {
      this.ended = true;
      this.#kernel.flush(this.#emit);
      this.#notify();
    }
  }

  readonly #emit = (text: Buffer): void => {
    this.#texts.push(this.#pool.copy(text));
    if (this.#texts.length >= QUEUE_LIMIT) this.#diverted.socket.pause();
    this.#notify();
  };

  readonly #onError = (error: Error): void => this.#fail(error);

  readonly #onClose = (): void => {
    if (!this.ended)
      this.#fail(new AppError("SOURCE_CONNECTION_LOST", `${this.#query.context}: the connection was closed`));
  };

  #fail(error: unknown): void {
    this.#failure ??= toSourceError(error, this.#query.context);
    this.#diverted.socket.pause();
    this.#notify();
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
