import type { Socket } from "node:net";
import { AppError } from "../../../core/errors.ts";
import type { MysqlConnection } from "../connection.ts";
import { toSourceError } from "../driver-errors.ts";
import { AnswerReader } from "./answer.ts";
import { filePackets, statementPackets } from "./statement-packets.ts";

/**
 * Runs statements of raw bytes on a connection's socket, past mysql2: a logged statement is text in a character set of its
 * own, and a BINLOG statement is many megabytes that need no copy. What a statement returns is read and left out.
 *
 * While a channel is open, the connection's own statements must not be used.
 */
export class StatementChannel {
  readonly #connection: MysqlConnection;
  readonly #socket: Socket;
  readonly #others: ((bytes: Buffer) => void)[];
  #answer = new AnswerReader();
  #resolve: (() => void) | undefined;
  #reject: ((reason: AppError) => void) | undefined;
  #failure: AppError | undefined;

  constructor(connection: MysqlConnection) {
    this.#connection = connection;
    this.#socket = connection.socket();
    this.#others = this.#socket.listeners("data") as ((bytes: Buffer) => void)[];
    for (const listener of this.#others) this.#socket.off("data", listener);
    this.#socket.on("data", this.#onData);
    this.#socket.on("error", this.#fail);
    this.#socket.on("close", this.#onClose);
    if (this.#socket.destroyed) this.#onClose();
  }

  /** Runs one statement to its end. Throws the SOURCE_… codes; the server's own words are in the cause only. */
  async run(...parts: (Buffer | string)[]): Promise<void> {
    await this.#send(parts, new AnswerReader());
  }

  /** Runs a LOAD DATA LOCAL statement with these bytes as its file. */
  async load(sql: Buffer, file: readonly Buffer[]): Promise<void> {
    const sendFile = (sequence: number): void => this.#write(filePackets(file, sequence));
    await this.#send([sql], new AnswerReader(sendFile));
  }

  async #send(parts: readonly (Buffer | string)[], answer: AnswerReader): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#resolve !== undefined) throw new AppError("INVARIANT", "two statements at a time on one channel");
    await new Promise<void>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#answer = answer;
      this.#write(statementPackets(parts));
    });
  }

  #write(packets: Iterable<Buffer>): void {
    this.#socket.cork();
    for (const packet of packets) this.#socket.write(packet);
    this.#socket.uncork();
  }

  /** Gives the socket back to the connection; cuts it where a statement still runs. */
  close(): void {
    this.#socket.off("data", this.#onData);
    this.#socket.off("error", this.#fail);
    this.#socket.off("close", this.#onClose);
    if (this.#resolve !== undefined || this.#failure !== undefined) this.#connection.destroy();
    for (const listener of this.#others) this.#socket.on("data", listener);
  }

  readonly #onData = (bytes: Buffer): void => {
    try {
      if (this.#resolve === undefined) throw new AppError("SOURCE_PROTOCOL", "bytes without a statement");
      if (!this.#answer.push(bytes)) return;
      const [resolve, reject, error] = [this.#resolve, this.#reject, this.#answer.error];
      this.#resolve = undefined;
      this.#reject = undefined;
      if (error === undefined) resolve();
      else reject?.(error);
    } catch (error: unknown) {
      this.#fail(error);
    }
  };

  readonly #onClose = (): void =>
    this.#fail(new AppError("SOURCE_CONNECTION_LOST", "replaying: the connection to the target was closed"));

  readonly #fail = (error: unknown): void => {
    this.#failure ??= toSourceError(error, "replaying");
    const reject = this.#reject;
    this.#resolve = undefined;
    this.#reject = undefined;
    reject?.(this.#failure);
  };
}
