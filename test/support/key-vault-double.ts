import { constants, generateKeyPairSync, type KeyObject, privateDecrypt, publicEncrypt } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { signDigest } from "./p256.ts";
import { type Version, VersionedStore } from "./versioned-store.ts";

/** A Key Vault on loopback that the real clients talk to: keys and secrets, versions, paging, soft delete, challenge. */
export interface KeyVaultDouble extends AsyncDisposable {
  readonly url: string;
  /** What was asked with a token, as `POST /keys/sign/4f…/sign`. */
  readonly calls: string[];
  /** A new version of a key, given or made. Returns its URL with the version. */
  addKey(name: string, kind: "RSA" | "EC", pair?: KeyPair): string;
  addSecret(name: string, value: string): void;
  /** Answers the next `times` requests with this status, and `retry-after`. */
  failNext(times: number, status: number, retryAfterSeconds?: number): void;
}

interface KeyPair {
  publicKey: KeyObject;
  privateKey: KeyObject;
}

interface Answer {
  status: number;
  body?: object;
  headers?: Record<string, string>;
}

const OAEP_256 = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" } as const;
const ERROR_CODES: Record<number, string> = {
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
  429: "Throttled",
};

/** Starts a double. `pageSize` is how many items a page of a listing has. */
export async function startKeyVaultDouble({ pageSize = 25 } = {}): Promise<KeyVaultDouble> {
  const keys = new VersionedStore<KeyPair>();
  const secrets = new VersionedStore<string>();
  const calls: string[] = [];
  const failure = { times: 0, status: 503, retryAfterSeconds: 0 };
  let url = "";

  const collections: Record<string, Collection> = {
    keys: { store: keys, describe: (name, version) => describeKey(url, name, version as Version<KeyPair>) },
    secrets: { store: secrets, describe: (name, version) => describeSecret(url, name, version as Version<string>) },
  };

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const { pathname, searchParams } = new URL(request.url ?? "/", url);
    const body = await readJson(request);
    if (!request.headers.authorization) return challenge();
    calls.push(`${request.method} ${pathname}`);
    if (failure.times > 0) {
      failure.times--;
      return error(failure.status, { "retry-after": String(failure.retryAfterSeconds) });
    }
    const [collectionName = "", name = "", ...rest] = pathname.split("/").filter(Boolean);
    const isDeleted = collectionName.startsWith("deleted");
    const collection = collections[collectionName.replace("deleted", "")];
    if (!collection) return error(404);
    if (isDeleted) return deletedObject(collection, request.method, name, rest);
    if (name === "")
      return page(
        url,
        pathname,
        collection.store.names().map((item) => brief(collection, item)),
        searchParams,
        pageSize,
      );
    if (rest[0] === "versions") {
      const versions = collection.store.versions(name)?.map((version) => collection.describe(name, version));
      return versions ? page(url, pathname, versions, searchParams, pageSize) : error(404);
    }
    if (request.method === "GET") return found(collection, name, collection.store.get(name, rest[0]));
    if (request.method === "DELETE")
      return collection.store.delete(name) ? deletedObject(collection, "GET", name, []) : error(404);
    if (request.method === "PUT" && collectionName === "secrets")
      return added(collection, name, secrets.add(name, String(body["value"])));
    if (rest[0] === "create") return added(collection, name, keys.add(name, makePair(body["kty"])));
    if (rest[0] === "rotate") {
      const newest = keys.get(name);
      return newest ? added(collection, name, keys.add(name, makePair(kindOf(newest.value)))) : error(404);
    }
    return keyOperation(keys.get(name, rest[0]), rest[1], body);
  };

  const server = createServer((request, response) => {
    answer(request).then(
      (result) => send(response, result),
      (failed: unknown) =>
        send(response, { status: 500, body: { error: { code: "Double", message: String(failed) } } }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    url,
    calls,
    addKey(name, kind, pair = makePair(kind)) {
      const version = keys.add(name, pair);
      if (!version) throw new Error(`a deleted key holds the name ${name}`);
      return `${url}/keys/${name}/${version.version}`;
    },
    addSecret: (name, value) => void secrets.add(name, value),
    failNext: (times, status, retryAfterSeconds = 0) =>
      void Object.assign(failure, { times, status, retryAfterSeconds }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Collection {
  store: VersionedStore<unknown>;
  describe(name: string, version: Version<unknown>): Record<string, unknown>;
}

/** Key Vault asks for a token by a challenge, and its clients send no body before they have seen it. */
function challenge(): Answer {
  const header = 'Bearer authorization="https://login.microsoftonline.com/tenant", resource="https://vault.azure.net"';
  return { ...error(401), headers: { "www-authenticate": header } };
}

function keyOperation(
  version: Version<KeyPair> | undefined,
  operation: string | undefined,
  body: Record<string, unknown>,
): Answer {
  if (!version) return error(404);
  const { publicKey, privateKey } = version.value;
  const value = Buffer.from(String(body["value"]), "base64url");
  const run: Record<string, () => Buffer> = {
    "wrapkey RSA-OAEP-256": () => publicEncrypt({ key: publicKey, ...OAEP_256 }, value),
    "unwrapkey RSA-OAEP-256": () => privateDecrypt({ key: privateKey, ...OAEP_256 }, value),
    "sign ES256": () => signDigest(value, privateKey),
  };
  try {
    const result = run[`${operation} ${String(body["alg"])}`]?.();
    return result ? { status: 200, body: { kid: version.version, value: result.toString("base64url") } } : error(400);
  } catch {
    return error(400);
  }
}

function deletedObject(collection: Collection, method: string | undefined, name: string, rest: string[]): Answer {
  const { store } = collection;
  if (rest[0] === "recover") return store.recover(name) ? found(collection, name, store.get(name)) : error(404);
  if (method === "DELETE") return store.purge(name) ? { status: 204 } : error(404);
  const version = store.getDeleted(name);
  if (!version) return error(404);
  const body = {
    ...collection.describe(name, version),
    recoveryId: `deleted/${name}`,
    deletedDate: 1,
    scheduledPurgeDate: 2,
  };
  return { status: 200, body };
}

function found(collection: Collection, name: string, version: Version<unknown> | undefined): Answer {
  return version ? { status: 200, body: collection.describe(name, version) } : error(404);
}

function added(collection: Collection, name: string, version: Version<unknown> | false): Answer {
  return version ? found(collection, name, version) : error(409);
}

function brief(collection: Collection, name: string): Record<string, unknown> {
  const newest = collection.store.get(name);
  return newest ? collection.describe(name, newest) : {};
}

function page(
  url: string,
  path: string,
  items: Record<string, unknown>[],
  query: URLSearchParams,
  pageSize: number,
): Answer {
  const start = Number(query.get("$skiptoken") ?? 0);
  const next = start + pageSize;
  const value = items.slice(start, next).map(({ value: _hidden, key: _public, ...item }) => item);
  const nextLink = next < items.length ? `${url}${path}?api-version=7.5&$skiptoken=${next}` : null;
  return { status: 200, body: { value, nextLink } };
}

function describeKey(
  url: string,
  name: string,
  { version, value, createdAt }: Version<KeyPair>,
): Record<string, unknown> {
  const kid = `${url}/keys/${name}/${version}`;
  return { kid, key: { ...value.publicKey.export({ format: "jwk" }), kid }, attributes: attributes(createdAt) };
}

function describeSecret(
  url: string,
  name: string,
  { version, value, createdAt }: Version<string>,
): Record<string, unknown> {
  return { id: `${url}/secrets/${name}/${version}`, value, attributes: attributes(createdAt) };
}

function attributes(createdAt: Date): object {
  const created = Math.floor(createdAt.getTime() / 1000);
  return { enabled: true, created, updated: created, recoveryLevel: "Recoverable+Purgeable", recoverableDays: 90 };
}

function makePair(kind: unknown): KeyPair {
  return kind === "EC"
    ? generateKeyPairSync("ec", { namedCurve: "P-256" })
    : generateKeyPairSync("rsa", { modulusLength: 3072 });
}

function kindOf({ publicKey }: KeyPair): "RSA" | "EC" {
  return publicKey.asymmetricKeyType === "ec" ? "EC" : "RSA";
}

function error(status: number, headers?: Record<string, string>): Answer {
  const code = ERROR_CODES[status] ?? "BadParameter";
  return { status, body: { error: { code, message: `double: ${status}` } }, ...(headers && { headers }) };
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const text = Buffer.concat(await request.toArray()).toString("utf8");
  return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
}

function send(response: ServerResponse, { status, body, headers = {} }: Answer): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(body && JSON.stringify(body));
}
