import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Breaks every connection that is open; later ones pass. */
  cut(): void;
  /** Keeps every connection open and lets nothing through, new ones too, as a firewall does that forgot them. */
  stall(): void;
  /** Lets what was held back through. */
  resume(): void;
}

/** A proxy on loopback in front of a local port, which does to connections what a bad network does. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<[Socket, Socket]>();
  let isStalled = false;

  const server = createServer((client) => {
    const pair: [Socket, Socket] = [client, connect(targetPort, "127.0.0.1")];
    pairs.add(pair);
    forward(pair[0], pair[1]);
    forward(pair[1], pair[0]);
  });

  function forward(from: Socket, to: Socket): void {
    from.on("data", (bytes) => {
      if (!to.write(bytes)) from.pause();
    });
    to.on("drain", () => {
      if (!isStalled) from.resume();
    });
    from.on("error", () => from.destroy());
    from.on("close", () => {
      // A stalled connection does not tell its other end that it broke.
      if (!isStalled) to.destroy();
      for (const pair of pairs) if (pair.includes(from)) pairs.delete(pair);
    });
    if (isStalled) from.pause();
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const each = (act: (socket: Socket) => void) => {
    for (const pair of pairs) for (const socket of pair) act(socket);
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => each((socket) => socket.destroy()),
    stall: () => {
      isStalled = true;
      each((socket) => socket.pause());
    },
    resume: () => {
      isStalled = false;
      each((socket) => socket.resume());
    },
    async [Symbol.asyncDispose]() {
      isStalled = false;
      each((socket) => socket.destroy());
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
