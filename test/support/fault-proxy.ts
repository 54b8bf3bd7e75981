import { createServer, type IncomingMessage, request as forward, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** What happens to one request: it passes; it is done and the connection breaks before the answer; its first byte is changed
 * on the way; nothing is ever answered. */
export type Fault = "pass" | "lose-answer" | "damage" | "silence";

export interface ProxiedRequest {
  method: string;
  /** Path and query. */
  url: string;
  /** Of the request; 0 until it has come whole. */
  bodyBytes: number;
}

export interface FaultProxy extends AsyncDisposable {
  readonly url: string;
  readonly requests: ProxiedRequest[];
  /** Decides for each request; default: all pass. */
  decide: (request: ProxiedRequest) => Fault;
  /** Answers a request in place of the target; undefined for those that are not its business. */
  intercept: (incoming: IncomingMessage) => Promise<ProxyAnswer> | undefined;
}

export interface ProxyAnswer {
  status: number;
  headers: Record<string, string>;
}

/** An HTTP proxy on loopback in front of `target`, which does to requests what a bad network does. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const requests: ProxiedRequest[] = [];
  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy());
  });

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const proxied = { method: incoming.method ?? "", url: incoming.url ?? "", bodyBytes: 0 };
    requests.push(proxied);
    const fault = proxy.decide(proxied);
    const body = await buffer(incoming);
    proxied.bodyBytes = body.length;
    if (fault === "silence") return;
    const instead = await proxy.intercept(incoming);
    if (instead) {
      outgoing.writeHead(instead.status, instead.headers).end();
      return;
    }
    if (fault === "damage") body[0] = (body[0] ?? 0) ^ 1;
    const answer = await send(target, incoming, body);
    const answerBody = await buffer(answer);
    if (fault === "lose-answer") outgoing.destroy();
    else outgoing.writeHead(answer.statusCode ?? 500, answer.headers).end(answerBody);
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy: FaultProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    decide: () => "pass",
    intercept: () => undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

function send(target: string, { method, url, headers }: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    forward(new URL(url ?? "/", target), { method: method ?? "GET", headers }, resolve)
      .on("error", reject)
      .end(body);
  });
}
