import type { Socket } from "node:net";
import { AppError } from "../../../core/errors.ts";
import type { MysqlConnection } from "../connection.ts";
import { toSourceError } from "../driver-errors.ts";
import { encodeGtidSet } from "../gtid-codec.ts";
import type { GtidSet } from "../gtid-set.ts";
import { DumpParser, type EventPiece } from "./dump-packets.ts";

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

/** Bytes that wait for their reader before the socket is paused. */
const QUEUE_LIMIT_BYTES = 4 * 1024 * 1024;
const NON_BLOCKING = 0x01;
const THROUGH_GTID = 0x04;
const COM_BINLOG_DUMP = 0x12;
const COM_BINLOG_DUMP_GTID = 0x1e;

/**
 * Streams the server's binary log over a connection, which serves nothing else from then on and is destroyed at the end.
 * Includes what the server makes up for this connection: rotations, format descriptions and heartbeats.
 * Throws the SOURCE_… codes.
 */
export async function* dumpBinlog(
  connection: MysqlConnection,
  options: DumpOptions,
): AsyncGenerator<EventPiece[], void, void> {
  const [row] = await connection.query<"checksum">("SELECT @@global.binlog_checksum AS checksum");
  await connection.execute(
    "SET @source_binlog_checksum = @@global.binlog_checksum, @source_heartbeat_period = ?, @replica_uuid = ?",
    [BigInt(options.heartbeatMs ?? 1000) * 1_000_000n, options.replicaUuid],
  );
  const parser = new DumpParser(row?.checksum === "CRC32");
  const socket = connection.socket();
  const queue = new DumpQueue(socket, parser, options.silenceMs ?? 10_000);
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
    // The driver only ends it, and a server that tails sees that at its next event: until then the process would wait.
    socket.destroy();
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

/** The state of one dump: running → ended or failed. Events wait here while the socket is paused. */
class DumpQueue {
  readonly #socket: Socket;
  readonly #parser: DumpParser;
  readonly #silenceMs: number;
  readonly #others: ((bytes: Buffer) => void)[];
  #pieces: EventPiece[] = [];
  #bytes = 0;
  #failure: AppError | undefined;
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, parser: DumpParser, silenceMs: number) {
    this.#socket = socket;
    this.#parser = parser;
    this.#silenceMs = silenceMs;
    this.#others = socket.listeners("data") as ((bytes: Buffer) => void)[];
  }

  start(command: Buffer): void {
    for (const listener of this.#others) this.#socket.off("data", listener);
    this.#socket.on("data", this.#onData);
    this.#socket.on("error", this.#onError);
    this.#socket.on("close", this.#onClose);
    this.#timer = setTimeout(this.#onSilence, this.#silenceMs);
    if (this.#socket.destroyed) this.#onClose();
    else this.#socket.write(command);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#socket.off("data", this.#onData);
    this.#socket.off("error", this.#onError);
    this.#socket.off("close", this.#onClose);
  }

  /** What has come since; undefined at the end. */
  async next(): Promise<EventPiece[] | undefined> {
    while (this.#pieces.length === 0 && !this.#parser.ended && this.#failure === undefined) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#pieces.length === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      return undefined;
    }
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#bytes = 0;
    if (this.#socket.isPaused()) {
      // While it was paused, the silence was ours.
      this.#timer?.refresh();
      this.#socket.resume();
    }
    return pieces;
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#timer?.refresh();
    try {
      const pieces = this.#parser.push(bytes);
      for (const piece of pieces) this.#pieces.push(piece);
    } catch (error: unknown) {
      this.#fail(error);
      return;
    }
    this.#bytes += bytes.length;
    if (this.#bytes >= QUEUE_LIMIT_BYTES) this.#socket.pause();
    this.#notify();
  };

  readonly #onError = (error: Error): void => this.#fail(error);

  readonly #onClose = (): void => {
    this.#fail(new AppError("SOURCE_CONNECTION_LOST", "reading the binary log: the connection was closed"));
  };

  readonly #onSilence = (): void => {
    if (this.#socket.isPaused()) {
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
