import { once } from "node:events";
import { createServer, request as send, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { TestAzurite } from "./azurite.ts";

/*
 * Azurite drops immutability policies and refuses legal holds. This stands in front of it, keeps both by the blobs' paths, tells
 * them in answers and listings, and refuses to remove what they protect, as Azure does.
 */

interface Protection {
  until?: string;
  mode?: string;
  legalHold?: boolean;
}

export interface ImmutableBlobs extends AsyncDisposable {
  /** Azurite's, by way of this. */
  readonly connectionString: string;
  /** Lets the time of a policy pass. */
  expire(): void;
}

const UNTIL = "x-ms-immutability-policy-until-date";
const MODE = "x-ms-immutability-policy-mode";
const LEGAL_HOLD = "x-ms-legal-hold";

export async function startImmutableBlobs(azurite: TestAzurite): Promise<ImmutableBlobs> {
  const protections = new Map<string, Protection>();
  const target = new URL(azurite.blobUrl);
  const server = createServer((request, response) => {
    handle(request, response, target, protections).catch((error: unknown) => response.destroy(error as Error));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    connectionString: azurite.connectionString.replace(
      azurite.blobUrl,
      azurite.blobUrl.replace(target.port, `${port}`),
    ),
    expire: () => protections.clear(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  target: URL,
  protections: Map<string, Protection>,
): Promise<void> {
  const url = new URL(request.url ?? "/", target);
  const known = protections.get(url.pathname) ?? {};
  const operation = url.searchParams.get("comp");
  if (operation === "legalhold") {
    const legalHold = request.headers[LEGAL_HOLD] === "true";
    protections.set(url.pathname, { ...known, legalHold });
    response.writeHead(200, { [LEGAL_HOLD]: String(legalHold) }).end();
    return;
  }
  if (request.method === "DELETE" && (known.legalHold || Date.parse(known.until ?? "") > Date.now())) {
    response.writeHead(409, { "x-ms-error-code": "BlobImmutableDueToPolicy" }).end();
    return;
  }
  const answer = await forward(request, url);
  const until = request.headers[UNTIL];
  if (answer.statusCode === 201 && typeof until === "string" && operation !== "block") {
    protections.set(url.pathname, { ...known, until, mode: String(request.headers[MODE]) });
  }
  const headers = { ...answer.headers, ...headersOf(protections.get(url.pathname)) };
  if (operation !== "list") {
    response.writeHead(answer.statusCode ?? 500, headers);
    answer.pipe(response);
    return;
  }
  const body = withProtections(await text(answer), url, protections);
  const { "content-length": _length, "transfer-encoding": _encoding, ...others } = headers;
  response.writeHead(answer.statusCode ?? 500, others).end(body);
}

async function forward(request: IncomingMessage, url: URL): Promise<IncomingMessage> {
  const { method, headers } = request;
  const forwarded = send(url, { ...(method && { method }), headers });
  request.pipe(forwarded);
  const [answer] = (await once(forwarded, "response")) as [IncomingMessage];
  return answer;
}

function headersOf({ until, mode, legalHold }: Protection = {}): Record<string, string> {
  return {
    ...(until !== undefined && { [UNTIL]: until, [MODE]: mode ?? "" }),
    ...(legalHold && { [LEGAL_HOLD]: "true" }),
  };
}

/** In a listing that asked for them. */
function withProtections(body: string, url: URL, protections: ReadonlyMap<string, Protection>): string {
  if (!url.searchParams.get("include")?.includes("immutabilitypolicy")) return body;
  return body.replace(/<Blob><Name>([^<]*)<\/Name>.*?<\/Properties>/gs, (item, name: string) => {
    const { until, mode, legalHold } = protections.get(`${url.pathname}/${name}`) ?? {};
    const policy = `<ImmutabilityPolicyUntilDate>${until}</ImmutabilityPolicyUntilDate><ImmutabilityPolicyMode>${mode?.toLowerCase()}</ImmutabilityPolicyMode>`;
    const told = `${until === undefined ? "" : policy}${legalHold ? "<LegalHold>true</LegalHold>" : ""}`;
    return item.replace("</Properties>", `${told}</Properties>`);
  });
}
