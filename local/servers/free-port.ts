import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { AppError } from "../../lib/core/errors.ts";

/** A TCP port of 127.0.0.1 that was free a moment ago. Another process may still take it first: callers try again. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Throws HOST_UNAVAILABLE when something listens on that port of 127.0.0.1 already. */
export async function assertPortFree(port: number): Promise<void> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (error: unknown) {
    throw new AppError("HOST_UNAVAILABLE", `port ${port} of 127.0.0.1 is taken`, {
      hint: "Stop what listens there, or choose another port: PORT=7072 npm start.",
      cause: error,
    });
  }
  server.close();
  await once(server, "close");
}
