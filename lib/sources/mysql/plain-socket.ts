import { connect, type Socket } from "node:net";

/** One read of a socket: as much as loopback hands over at a time. */
const READ_BYTES = 256 * 1024;
const KEEP_ALIVE_MS = 30_000;

/** Takes bytes that are only there during the call. */
export type TakeBytes = (bytes: Buffer) => void;

/** A socket whose bytes can be taken where they were read, instead of in a new buffer for each read. */
export interface PlainSocket {
  readonly socket: Socket;
  /** From now on bytes go to `take`; undefined gives them back to the listeners of `data`. */
  divert(take: TakeBytes | undefined): void;
}

/**
 * Connects without TLS. All reads go into one buffer: a buffer for each would be garbage as large as the backup, and
 * collecting it would cost as much as compressing it.
 */
export function connectPlain(host: string, port: number): PlainSocket {
  let taker: TakeBytes | undefined;
  const socket = connect({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
    onread: {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (size, buffer) => {
        const bytes = Buffer.from(buffer.buffer, buffer.byteOffset, size);
        if (taker === undefined) socket.emit("data", Buffer.from(bytes));
        else taker(bytes);
        return true;
      },
    },
  });
  return { socket, divert: (take) => (taker = take) };
}
