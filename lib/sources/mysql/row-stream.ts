import type { Socket } from "node:net";
import { AppError } from "../../core/errors.ts";
import type { MysqlConnection } from "./connection.ts";
import { toSourceError } from "./driver-errors.ts";
import { queryPacket, type ResultHead, ResultHeadReader } from "./packets.ts";
import { RowKernel } from "./row-kernel.ts";

/** Makes the server send column values as they are stored, in whatever character set. */
export const ROW_SESSION = "SET SESSION character_set_results = NULL";

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
  /** How many of its first columns must be NULL, and are left out of the text; a row with another value is skipped. */
  guards: number;
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

  constructor(connection: MysqlConnection) {
    this.#connection = connection;
  }

  /**
   * Streams the rows of a query in pieces of a few MiB, and returns the totals at the end. The session must be set up by
   * `ROW_SESSION`. A reader that stops early, or a failure, destroys the connection: the
   * server would go on sending. Throws the SOURCE_… codes.
   */
  async *read(query: RowQuery): AsyncGenerator<Buffer, RowTotals, undefined> {
    const socket = this.#connection.socket();
    const others = socket.listeners("data") as ((bytes: Buffer) => void)[];
    const result = new ResultQueue(socket, this.#kernel, query);
    for (const listener of others) socket.off("data", listener);
    let bytes = 0;
    try {
      result.start();
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
    for (const listener of others) socket.on("data", listener);
    return { rows: this.#kernel.rows, sum: this.#kernel.sum, bytes, skipped: this.#kernel.skipped };
  }
}

/** The state of one read: head → rows → ended or failed. Text waits here while the socket is paused. */
class ResultQueue {
  ended = false;
  readonly #socket: Socket;
  readonly #kernel: RowKernel;
  readonly #query: RowQuery;
  readonly #head = new ResultHeadReader();
  readonly #texts: Buffer[] = [];
  #inRows = false;
  #failure: AppError | undefined;
  #wake: (() => void) | undefined;

  constructor(socket: Socket, kernel: RowKernel, query: RowQuery) {
    this.#socket = socket;
    this.#kernel = kernel;
    this.#query = query;
  }

  start(): void {
    this.#socket.on("data", this.#onData);
    this.#socket.on("error", this.#onError);
    this.#socket.on("close", this.#onClose);
    if (this.#socket.destroyed) this.#onClose();
    else this.#socket.write(queryPacket(this.#query.sql));
  }

  stop(): void {
    this.#socket.off("data", this.#onData);
    this.#socket.off("error", this.#onError);
    this.#socket.off("close", this.#onClose);
    if (!this.#socket.destroyed) this.#socket.resume();
  }

  /** The next piece of text; undefined at the end. */
  async next(): Promise<Buffer | undefined> {
    while (this.#texts.length === 0 && !this.ended && this.#failure === undefined) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#failure !== undefined) throw this.#failure;
    const text = this.#texts.shift();
    if (!this.ended && this.#texts.length < QUEUE_LIMIT) this.#socket.resume();
    return text;
  }

  readonly #onData = (bytes: Buffer): void => {
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
    this.#texts.push(text);
    if (this.#texts.length >= QUEUE_LIMIT) this.#socket.pause();
    this.#notify();
  };

  readonly #onError = (error: Error): void => this.#fail(error);

  readonly #onClose = (): void => {
    if (!this.ended)
      this.#fail(new AppError("SOURCE_CONNECTION_LOST", `${this.#query.context}: the connection was closed`));
  };

  #fail(error: unknown): void {
    this.#failure ??= toSourceError(error, this.#query.context);
    this.#socket.pause();
    this.#notify();
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
