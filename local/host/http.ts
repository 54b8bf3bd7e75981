import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { AppError } from "../../lib/core/errors.ts";
import { runByHand } from "./admin.ts";
import type { HostedFunction, HttpTrigger } from "./hosted-function.ts";
import { sendResponse } from "./http-response.ts";
import type { Invoker } from "./invoker.ts";
import { createRouter, parseRoute, type Router } from "./routes.ts";
import { toRpcRequest } from "./rpc-data.ts";

export interface HttpDeps {
  functions: readonly HostedFunction[];
  invoker: Invoker;
  routePrefix: string;
  /** 0: any free port. */
  port: number;
}

export interface HttpFrontEnd {
  readonly port: number;
  /** Accepts no more requests; resolves when those under way are answered. */
  stop(): Promise<void>;
}

/** Azure's own limit of a request's body. */
const LARGEST_BODY_BYTES = 100 * 1024 * 1024;
/** A page of another site can make a browser send a request here under that site's name; such a request is refused. */
const LOOPBACK_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/i;

/** Serves the HTTP functions and the admin endpoint on 127.0.0.1. Keys are not asked for. Throws HOST_UNAVAILABLE. */
export async function startHttp(deps: HttpDeps): Promise<HttpFrontEnd> {
  const router = routerOf(deps);
  const server = createServer((request, response) => void answer(request, response, deps, router));
  await listen(server, deps.port);
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      server.close();
      await once(server, "close");
    },
  };
}

function routerOf({ functions, routePrefix }: HttpDeps): Router<HostedFunction<HttpTrigger>> {
  const routes = functions.flatMap((hosted) => {
    const { trigger } = hosted;
    if (trigger.kind !== "http") return [];
    return [parseRoute(`${routePrefix}/${trigger.route}`, trigger.methods, { ...hosted, trigger })];
  });
  return createRouter(routes);
}

async function listen(server: Server, port: number): Promise<void> {
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  } catch (error: unknown) {
    throw new AppError("HOST_UNAVAILABLE", `can't listen on 127.0.0.1:${port}`, {
      hint: "Stop the program that uses this port, or choose another.",
      cause: error,
    });
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  deps: HttpDeps,
  router: Router<HostedFunction<HttpTrigger>>,
): Promise<void> {
  // A handler that throws becomes an empty 500, as on Azure; the invoker has logged why.
  const fail = () => void (response.headersSent ? response.destroy() : response.writeHead(500).end());
  try {
    const host = request.headers.host ?? "";
    if (!LOOPBACK_HOST.test(host)) return void response.writeHead(421).end();
    const url = new URL(request.url ?? "/", `http://${host}`);
    const body = await readBody(request);
    if (!body) return void response.writeHead(413).end();
    if (url.pathname.startsWith("/admin/")) return void response.writeHead(runByHand(request, url, body, deps)).end();
    await callFunction(request, response, { url, body }, deps, router);
  } catch {
    fail();
  }
}

async function callFunction(
  request: IncomingMessage,
  response: ServerResponse,
  { url, body }: { url: URL; body: Buffer },
  deps: HttpDeps,
  router: Router<HostedFunction<HttpTrigger>>,
): Promise<void> {
  const method = request.method ?? "GET";
  const match = router(method, url.pathname);
  if (!match) return void response.writeHead(404).end();
  const data = toRpcRequest({
    url: url.href,
    method,
    headers: joinHeaders(request),
    query: joinQuery(url),
    params: match.params,
    body,
  });
  const result = await deps.invoker.invoke(match.value, { binding: match.value.trigger.binding, data });
  sendResponse(response, result.returnValue?.http);
}

/** Undefined when it is larger than Azure takes. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request) {
    sizeBytes += (chunk as Buffer).length;
    if (sizeBytes > LARGEST_BODY_BYTES) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function joinHeaders(request: IncomingMessage): Record<string, string> {
  const headers = Object.entries(request.headersDistinct);
  return Object.fromEntries(headers.map(([name, values = []]) => [name, values.join(", ")]));
}

/** A repeated key arrives as one value with commas, as on Azure. */
function joinQuery(url: URL): Record<string, string> {
  const names = [...new Set(url.searchParams.keys())];
  return Object.fromEntries(names.map((name) => [name, url.searchParams.getAll(name).join(",")]));
}
