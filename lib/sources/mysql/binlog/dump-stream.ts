import type { Socket } from "node:net";
import { AppError } from "../../../core/errors.ts";
import type { DivertedSocket, MysqlConnection } from "../connection.ts";
import { toSourceError } from "../driver-errors.ts";
import { encodeGtidSet } from "../gtid-codec.ts";
import type { GtidSet } from "../gtid-set.ts";
import { DumpParser, type DumpPiece } from "./dump-packets.ts";

/** Where to start: after everything in a set, or at an offset of a file. */
export type DumpStart = { gtids: GtidSet } | { file: string; position: number };

export interface DumpOptions {
  from: DumpStart;
  /** Unlike that of any server or replica in the topology. */
  serverId: number;
  /** The server ends an older dump of the same UUID, which a cut connection may have left there. */
  replicaUuid: string;
  /** Go on with what is written later; otherwise end at the end of the last file. */
  follow: boolean;
  /** The server says that it is there after this long without an event. Default 1000. */
  heartbeatMs?: number;
  /** Silence after which the connection is taken for dead; some heartbeats. Default 10,000. */
  silenceMs?: number;
}

const NON_BLOCKING = 0x01;
const THROUGH_GTID = 0x04;
const COM_BINLOG_DUMP = 0x12;
const COM_BINLOG_DUMP_GTID = 0x1e;

/**
 * Streams the server's binary log over a connection, which serves nothing else from then on and is destroyed at the end.
 * Includes what the server makes up for this connection: rotations, format descriptions and heartbeats. The bytes of pieces are
 * there until the next ones are asked for.
 * Throws the SOURCE_… codes.
 */
export async function* dumpBinlog(
  connection: MysqlConnection,
  options: DumpOptions,
): AsyncGenerator<DumpPiece[], void, void> {
  const [row] = await connection.query<"checksum">("SELECT @@global.binlog_checksum AS checksum");
  await connection.execute(
    "SET @source_binlog_checksum = @@global.binlog_checksum, @source_heartbeat_period = ?, @replica_uuid = ?",
    [BigInt(options.heartbeatMs ?? 1000) * 1_000_000n, options.replicaUuid],
  );
  const parser = new DumpParser(row?.checksum === "CRC32");
  const queue = new DumpQueue(connection, parser, options.silenceMs ?? 10_000);
  try {
    queue.start(dumpPacket(options));
    for (;;) {
      const pieces = await queue.next();
      if (pieces === undefined) return;
      yield pieces;
    }
  } finally {
    queue.stop();
    connection.destroy();
  }
}

/** https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_binlog_dump_gtid.html */
function dumpPacket({ from, serverId, follow }: DumpOptions): Buffer {
  const flags = follow ? 0 : NON_BLOCKING;
  if ("file" in from) {
    const head = Buffer.alloc(11);
    head[0] = COM_BINLOG_DUMP;
    head.writeUInt32LE(from.position, 1);
    head.writeUInt16LE(flags, 5);
    head.writeUInt32LE(serverId, 7);
    return toPacket(Buffer.concat([head, Buffer.from(from.file)]));
  }
  const gtids = encodeGtidSet(from.gtids);
  // No file name: the server looks for the file by the set. Position 4, the first event's.
  const head = Buffer.alloc(1 + 2 + 4 + 4 + 8 + 4);
  head[0] = COM_BINLOG_DUMP_GTID;
  head.writeUInt16LE(flags | THROUGH_GTID, 1);
  head.writeUInt32LE(serverId, 3);
  head.writeUInt32LE(0, 7);
  head.writeBigUInt64LE(4n, 11);
  head.writeUInt32LE(gtids.length, 19);
  return toPacket(Buffer.concat([head, gtids]));
}

function toPacket(payload: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUIntLE(payload.length, 0, 3);
  return Buffer.concat([header, payload]);
}

/**
 * The state of one dump: running → ended or failed. Pieces lie in the memory that the socket reads into, so it is paused until
 * their reader asks for more.
 */
class DumpQueue {
  readonly #diverted: DivertedSocket;
  readonly #parser: DumpParser;
  readonly #silenceMs: number;
  #pieces: DumpPiece[] = [];
  #isReading = true;
  #failure: AppError | undefined;
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(connection: MysqlConnection, parser: DumpParser, silenceMs: number) {
    this.#parser = parser;
    this.#silenceMs = silenceMs;
    this.#diverted = connection.divert(this.#onData);
  }

  get #socket(): Socket {
    return this.#diverted.socket;
  }

  start(command: Buffer): void {
    this.#socket.on("error", this.#onError);
    this.#socket.on("close", this.#onClose);
    this.#timer = setTimeout(this.#onSilence, this.#silenceMs);
    if (this.#socket.destroyed) this.#onClose();
    else this.#socket.write(command);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#diverted.restore();
    this.#socket.off("error", this.#onError);
    this.#socket.off("close", this.#onClose);
    // The driver would only end it, and a server that tails sees that at its next event: until then the process would wait.
    this.#socket.destroy();
  }

  /** What has come since; undefined at the end. */
  async next(): Promise<DumpPiece[] | undefined> {
    this.#readOn();
    while (this.#pieces.length === 0 && !this.#parser.ended && this.#failure === undefined) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const pieces = this.#pieces;
    this.#pieces = [];
    if (pieces.length > 0) return pieces;
    if (this.#failure !== undefined && !this.#parser.ended) throw this.#failure;
    return undefined;
  }

  #readOn(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    // While it was paused, the silence was ours.
    this.#timer?.refresh();
    this.#socket.resume();
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#timer?.refresh();
    try {
      if (!this.#isReading) throw new AppError("INVARIANT", "a paused socket was read");
      this.#pieces = this.#parser.push(bytes);
    } catch (error: unknown) {
      this.#fail(error);
      return;
    }
    if (this.#pieces.length === 0 && !this.#parser.ended) return;
    this.#isReading = false;
    this.#socket.pause();
    this.#notify();
  };

  readonly #onError = (error: Error): void => this.#fail(error);

  readonly #onClose = (): void => {
    this.#fail(new AppError("SOURCE_CONNECTION_LOST", "reading the binary log: the connection was closed"));
  };

  readonly #onSilence = (): void => {
    if (!this.#isReading) {
      this.#timer?.refresh();
      return;
    }
    const message = `reading the binary log: not even a heartbeat for ${this.#silenceMs / 1000} s`;
    this.#fail(new AppError("SOURCE_CONNECTION_LOST", message));
  };

  #fail(error: unknown): void {
    this.#failure ??= toSourceError(error, "reading the binary log");
    this.#socket.pause();
    this.#notify();
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
