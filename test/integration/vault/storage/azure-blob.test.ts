import { randomBytes, randomUUID } from "node:crypto";
import { createServer } from "node:net";
import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  BlobServiceClient,
  generateAccountSASQueryParameters,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openAzureBlobVault } from "../../../../lib/vault/storage/azure-blob.ts";
import { type AzureTuning, DEFAULT_TUNING } from "../../../../lib/vault/storage/azure-call.ts";
import type { AppError } from "../../../../lib/core/errors.ts";
import { copyBetween } from "../../../../lib/vault/storage/copy-between.ts";
import type { Storage, VaultStorage } from "../../../../lib/vault/storage/storage.ts";
import { type TestAzurite, startTestAzurite } from "../../../support/azurite.ts";
import { describeStorage } from "../../../support/describe-storage.ts";
import { putBlockFromUrl } from "../../../support/put-block-from-url.ts";
import { type FaultProxy, startFaultProxy } from "../../../support/fault-proxy.ts";
import { listNames, pattern, piecesOf, readAll, sha256Of } from "../../../support/storage-data.ts";

const MIB = 1024 * 1024;
/** Fails soon, so that faults are seen within a test's time. */
const QUICK: AzureTuning = { ...DEFAULT_TUNING, blockBytes: MIB, deadlineMs: 1000, maxTries: 2, retryDelayMs: 10 };

let azurite: TestAzurite;
beforeAll(async () => {
  azurite = await startTestAzurite();
});
afterAll(() => azurite[Symbol.asyncDispose]());

describeStorage(
  "a vault in Azure Blob",
  async () => {
    const config = { connectionString: azurite.connectionString, container: `c${randomUUID()}` };
    const vault = await openAzureBlobVault("azurite", config);
    await vault.prepare();
    return {
      vault,
      openAgain: () => openAzureBlobVault("again", config),
      openElsewhere: async () => {
        const connectionString = azurite.otherConnectionString;
        const elsewhere = await openAzureBlobVault("elsewhere", { ...config, connectionString });
        await elsewhere.prepare();
        return elsewhere;
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
  },
  { memoryBytes: 96 * MIB },
);

describe("a storage account that refuses", () => {
  const refused = { code: "STORAGE_REFUSED", retryable: false };

  it("is told apart from an empty vault when the container is missing", async () => {
    const vault = await open({ container: "missing" });
    await expect(vault.data.stat("a")).rejects.toMatchObject(refused);
    await expect(readAll(vault.data, "a")).rejects.toMatchObject(refused);
    await expect(listNames(vault.data, "")).rejects.toMatchObject(refused);
    await expect(vault.data.remove("a")).rejects.toMatchObject(refused);
    await expect(vault.data.create("a", Buffer.from("x"))).rejects.toMatchObject(refused);
    await expect(vault.data.create("a", piecesOf(pattern(3 * MIB), MIB))).rejects.toMatchObject(refused);
    await expect(vault.state.get("a")).rejects.toMatchObject(refused);
    await expect(vault.state.put("a", Buffer.from("x"), "absent")).rejects.toMatchObject(refused);
    await expect(Array.fromAsync(vault.state.list(""))).rejects.toMatchObject(refused);
    await expect(vault.data.stat("a")).rejects.toThrow(
      `vault azurite: can't look up blob "a": ContainerNotFound (404)`,
    );
  });

  it("says so for a wrong key, and shows no key, token or header", async () => {
    const key = randomBytes(64).toString("base64");
    const vault = await open({
      connectionString: azurite.connectionString.replace(/AccountKey=[^;]+/, `AccountKey=${key}`),
    });
    const error = await vault.data.create("a", Buffer.from("x")).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ ...refused, hint: expect.stringContaining("account key") });
    expect(await vault.prepare().catch((caught: unknown) => caught)).toMatchObject(refused);
    expect(everythingIn(error)).not.toMatch(/SharedKey|x-ms-date/);
    expect(everythingIn(error)).not.toContain(key);
  });

  it("says so for a SAS that has expired, and works with one that has not", async () => {
    await (await open({ container: "with-sas" })).prepare();
    const expired = await open({ container: "with-sas", url: urlWithSas(-60_000) });
    const error = await expired.data.stat("a").catch((caught: unknown) => caught);
    expect(error).toMatchObject(refused);
    expect(everythingIn(error)).not.toContain("sig=");
    const vault = await open({ container: "with-sas", url: urlWithSas(60_000) });
    await vault.prepare();
    await vault.data.create("a", piecesOf(pattern(3 * MIB), MIB));
    expect(sha256Of(await readAll(vault.data, "a"))).toBe(sha256Of(pattern(3 * MIB)));
  });

  it.each([
    ["http://example.com/", "begins with http:"],
    ["ftp://example.com/", "begins with ftp:"],
    ["http://127.0.0.1:10000/account", "must be https"],
    ["https://user:hunter2@example.com/", "has a user name"],
    ["hunter2", "can't be parsed"],
  ])("is not asked at all under the URL %s", async (url, problem) => {
    const error = await openAzureBlobVault("primary", { url, container: "c" }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "STORAGE_PATH_INVALID", message: expect.stringContaining(problem) });
    expect(everythingIn(error)).not.toContain("hunter2");
  });

  it("is not asked at all with a malformed connection string or too long a container name", async () => {
    const invalid = { code: "STORAGE_PATH_INVALID" };
    const connectionString = "AccountName=x;AccountKey=hunter2";
    const error = await open({ connectionString }).catch((caught: unknown) => caught);
    expect(error).toMatchObject(invalid);
    expect(everythingIn(error)).not.toContain("hunter2");
    await expect(open({ container: "c".repeat(58) })).rejects.toMatchObject(invalid);
  });
});

describe("a storage account that does not answer", () => {
  const unavailable = { code: "STORAGE_UNAVAILABLE", retryable: true };

  it("is worth another try when the connection is refused", async () => {
    const vault = await open({ connectionString: connectTo(`http://127.0.0.1:${await closedPort()}`) });
    await expect(vault.data.stat("a")).rejects.toMatchObject(unavailable);
    await expect(vault.data.create("a", piecesOf(pattern(3 * MIB), MIB))).rejects.toMatchObject(unavailable);
    await expect(readAll(vault.data, "a")).rejects.toMatchObject(unavailable);
    await expect(listNames(vault.data, "")).rejects.toMatchObject(unavailable);
    await expect(vault.state.get("a")).rejects.toMatchObject(unavailable);
    await expect(vault.prepare()).rejects.toMatchObject(unavailable);
  });

  it("is given up at the deadline when it stays silent", async () => {
    await using proxy = await startFaultProxy(azurite.blobUrl);
    proxy.decide = () => "silence";
    const vault = await open({ connectionString: connectTo(proxy.url) }, { ...QUICK, deadlineMs: 200 });
    await expect(vault.data.stat("a")).rejects.toMatchObject(unavailable);
    await expect(vault.data.stat("a")).rejects.toThrow("no answer within 0.2 s");
    expect(proxy.requests).toHaveLength(4);
  });

  it("stops a silent request when the signal fires", async () => {
    await using proxy = await startFaultProxy(azurite.blobUrl);
    const abort = new AbortController();
    proxy.decide = () => {
      abort.abort(new Error("lease lost"));
      return "silence";
    };
    const vault = await open({ connectionString: connectTo(proxy.url) }, { ...QUICK, deadlineMs: 60_000 });
    await expect(vault.data.create("a", Buffer.from("x"), { signal: abort.signal })).rejects.toThrow("lease lost");
  });
});

describe("a network that loses and damages", () => {
  /** A prepared vault behind a proxy. */
  async function behindProxy(): Promise<{ proxy: FaultProxy; vault: VaultStorage; container: string }> {
    const container = `c${randomUUID()}`;
    const proxy = await startFaultProxy(azurite.blobUrl);
    const vault = await open({ connectionString: connectTo(proxy.url), container });
    await vault.prepare();
    proxy.requests.length = 0;
    return { proxy, vault, container };
  }

  it.each([
    ["a small blob", 1000],
    ["a large blob", 5 * MIB],
  ])("does not make %s fail, or be written twice, for one lost answer to each request", async (_title, size) => {
    const { proxy, vault } = await behindProxy();
    await using _ = proxy;
    const seen = new Set<string>();
    proxy.decide = ({ method, url }) => {
      const key = `${method} ${url}`;
      if (seen.has(key)) return "pass";
      seen.add(key);
      return "lose-answer";
    };
    const bytes = pattern(size);
    const created = await vault.data.create("a", piecesOf(bytes, 300_000));
    expect(created).toEqual({ sizeBytes: size, sha256: sha256Of(bytes) });
    expect(sha256Of(await readAll(vault.data, "a"))).toBe(created.sha256);
    expect(await listNames(vault.data, "")).toEqual(["a"]);
    await vault.data.remove("a");
    expect(await vault.data.stat("a")).toBeUndefined();
  });

  it("does not turn a state write whose answer was lost into a conflict", async () => {
    const { proxy, vault } = await behindProxy();
    await using _ = proxy;
    proxy.decide = loseFirst("PUT");
    const first = await vault.state.put("lease", Buffer.from("1"), "absent");
    proxy.decide = loseFirst("PUT");
    const second = await vault.state.put("lease", Buffer.from("2"), { etag: first });
    expect(await vault.state.get("lease")).toEqual({ value: Buffer.from("2"), etag: second });
    proxy.decide = loseFirst("DELETE");
    await vault.state.remove("lease", second);
    expect(await vault.state.get("lease")).toBeUndefined();
  });

  it.each([
    ["a small blob", 1000],
    ["a large blob", 3 * MIB],
  ])("does not store %s whose bytes changed on the way", async (_title, size) => {
    const { proxy, vault } = await behindProxy();
    await using _ = proxy;
    proxy.decide = ({ method }) => (method === "PUT" ? "damage" : "pass");
    // Azure's code and Azurite's.
    await expect(vault.data.create("a", pattern(size))).rejects.toThrow(/Md5Mismatch|InvalidOperation/);
    expect(await vault.data.stat("a")).toBeUndefined();
  });

  it("takes one request to write what fits a block", async () => {
    const { proxy, vault } = await behindProxy();
    await using _ = proxy;
    await vault.data.create("a", pattern(MIB));
    expect(proxy.requests).toHaveLength(1);
  });
});

describe("a blob that somebody else touches", () => {
  it("is an error when it is replaced while it is read", async () => {
    const container = `c${randomUUID()}`;
    const vault = await open({ container });
    await vault.prepare();
    await vault.data.create("a", pattern(8 * MIB, 1));
    const reading = async () => {
      const seen: Buffer[] = [];
      for await (const piece of vault.data.read("a")) {
        seen.push(piece);
        if (seen.length > 1) continue;
        await vault.data.remove("a");
        await vault.data.create("a", pattern(8 * MIB, 2));
      }
    };
    await expect(reading()).rejects.toMatchObject({ code: "BLOB_DAMAGED" });
  });

  it("is an error when it is removed while it is read", async () => {
    const vault = await open({});
    await vault.prepare();
    await vault.data.create("a", pattern(8 * MIB));
    const reading = async () => {
      for await (const piece of vault.data.read("a")) if (piece.length > 0) await vault.data.remove("a");
    };
    // Azure says that it is missing, Azurite that it is not the expected one.
    await expect(reading()).rejects.toMatchObject({ code: expect.stringMatching(/^BLOB_(?:MISSING|DAMAGED)$/) });
  });

  it("is not kept from being written by blocks that a dead upload left", async () => {
    const container = `c${randomUUID()}`;
    const vault = await open({ container });
    await vault.prepare();
    const client = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(container);
    for (const name of ["small", "large"]) {
      // All ids of a blob's blocks have one length, that of an upload's id and a number.
      const blockId = Buffer.from(`${randomUUID()}-000000`).toString("base64");
      await client.getBlockBlobClient(name).stageBlock(blockId, "left over", 9);
    }
    expect(await listNames(vault.data, "")).toEqual([]);
    expect(await vault.data.stat("small")).toBeUndefined();
    await vault.data.create("small", Buffer.from("x"));
    await vault.data.create("large", pattern(3 * MIB));
    expect((await readAll(vault.data, "small")).toString()).toBe("x");
    expect(await listNames(vault.data, "")).toEqual(["large", "small"]);
  });

  it("is listed when another client wrote it, under whatever name", async () => {
    const container = `c${randomUUID()}`;
    const vault = await open({ container });
    await vault.prepare();
    const client = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(container);
    await client.getBlockBlobClient("Ünïcode name/with space").upload("x", 1);
    await vault.data.create("a", Buffer.from("x"));
    expect(await listNames(vault.data, "")).toEqual(["a", "Ünïcode name/with space"]);
  });
});

describe("a copy from another account", () => {
  const watch = (bytes: AsyncIterable<Buffer>) => bytes;

  /** A vault in the other account that holds 3 MiB. */
  async function filled(settings: { connectionString: string } | { url: string }): Promise<Storage> {
    const container = `c${randomUUID()}`;
    const writer = await open({ connectionString: azurite.otherConnectionString, container });
    await writer.prepare();
    await writer.data.create("a", piecesOf(pattern(3 * MIB), MIB));
    return (await open({ ...settings, container })).data;
  }

  it.each([
    ["signed by the account's key", () => ({ connectionString: azurite.otherConnectionString })],
    [
      "with the SAS that the vault is opened with",
      () => ({ url: urlWithSas(3_600_000, azurite.otherConnectionString) }),
    ],
  ])("goes from account to account by a URL %s, and no byte of it is sent from here", async (_title, settings) => {
    await using proxy = await startFaultProxy(azurite.blobUrl);
    proxy.intercept = putBlockFromUrl(azurite.connectionString);
    const vault = await open({ connectionString: connectTo(proxy.url) });
    await vault.prepare();
    const onStreaming = (error: AppError) => expect.unreachable(error.message);
    await copyBetween({ from: await filled(settings()), to: vault.data, name: "a", watch, onStreaming });
    expect(sha256Of(await readAll(vault.data, "a"))).toBe(sha256Of(pattern(3 * MIB)));
    expect(proxy.requests.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0)).toBeLessThan(10_000);
  });

  it("takes nothing that is not what was read here, though the other account gives it to the service", async () => {
    await using proxy = await startFaultProxy(azurite.blobUrl);
    proxy.intercept = putBlockFromUrl(azurite.connectionString);
    const vault = await open({ connectionString: connectTo(proxy.url) });
    await vault.prepare();
    const from = await filled({ connectionString: azurite.otherConnectionString });
    const other = await filled({ connectionString: azurite.otherConnectionString });
    await other.create("b", piecesOf(pattern(3 * MIB, 2), MIB));
    const swapped: Storage = { ...from, readUrl: async () => (await other.readUrl?.("b")) ?? "" };
    const reasons: AppError[] = [];
    await copyBetween({ from: swapped, to: vault.data, name: "a", watch, onStreaming: (error) => reasons.push(error) });
    expect(reasons).toMatchObject([{ message: expect.stringContaining("Md5Mismatch") }]);
    expect(sha256Of(await readAll(vault.data, "a"))).toBe(sha256Of(pattern(3 * MIB)));
  });

  it("is streamed where the service does not know how to fetch", async () => {
    const vault = await open({});
    await vault.prepare();
    const from = await filled({ connectionString: azurite.otherConnectionString });
    const reasons: AppError[] = [];
    await copyBetween({ from, to: vault.data, name: "a", watch, onStreaming: (error) => reasons.push(error) });
    expect(reasons).toMatchObject([{ code: "STORAGE_REFUSED", message: expect.stringContaining("501") }]);
    expect(sha256Of(await readAll(vault.data, "a"))).toBe(sha256Of(pattern(3 * MIB)));
  });

  it("is streamed where the service can't reach the other account, and that is told once", async () => {
    await using proxy = await startFaultProxy(azurite.blobUrl);
    proxy.intercept = putBlockFromUrl(azurite.connectionString);
    const vault = await open({ connectionString: connectTo(proxy.url) });
    await vault.prepare();
    const from = await filled({ connectionString: azurite.otherConnectionString });
    const hidden: Storage = { ...from, readUrl: async () => "http://127.0.0.1:9/resguardonowhere/c/a?sig=secret" };
    const reasons: AppError[] = [];
    for (const attempt of [1, 2]) {
      await copyBetween({
        from: hidden,
        to: vault.data,
        name: "a",
        watch,
        onStreaming: (error) => reasons.push(error),
      });
      expect(sha256Of(await readAll(vault.data, "a")), `copy ${attempt}`).toBe(sha256Of(pattern(3 * MIB)));
      await vault.data.remove("a");
    }
    expect(reasons).toMatchObject([{ code: "STORAGE_REFUSED" }]);
    expect(everythingIn(reasons[0])).not.toContain("secret");
  });
});

function open(
  config: { connectionString?: string; url?: string; container?: string },
  tuning: AzureTuning = QUICK,
): Promise<VaultStorage> {
  const { connectionString = azurite.connectionString, url, container = `c${randomUUID()}` } = config;
  return openAzureBlobVault("azurite", { ...(url === undefined ? { connectionString } : { url }), container }, tuning);
}

/** Azurite's connection string with another server in its place. */
function connectTo(url: string): string {
  const path = new URL(azurite.blobUrl).pathname;
  return azurite.connectionString.replace(/BlobEndpoint=[^;]+/, `BlobEndpoint=${url}${path}`);
}

function urlWithSas(endsInMs: number, connectionString = azurite.connectionString): string {
  const [, account = ""] = /AccountName=([^;]+)/.exec(connectionString) ?? [];
  const [, key = ""] = /AccountKey=([^;]+)/.exec(connectionString) ?? [];
  const [, blobUrl = ""] = /BlobEndpoint=([^;]+)/.exec(connectionString) ?? [];
  const sas = generateAccountSASQueryParameters(
    {
      startsOn: new Date(Date.now() - 3_600_000),
      expiresOn: new Date(Date.now() + endsInMs),
      permissions: AccountSASPermissions.parse("rwlc"),
      resourceTypes: AccountSASResourceTypes.parse("sco").toString(),
      services: AccountSASServices.parse("b").toString(),
    },
    new StorageSharedKeyCredential(account, key),
  );
  return `${blobUrl}?${sas.toString()}`;
}

function loseFirst(wanted: string): FaultProxy["decide"] {
  let lost = false;
  return ({ method }) => {
    if (lost || method !== wanted) return "pass";
    lost = true;
    return "lose-answer";
  };
}

/** All text of an error and of what caused it, hidden properties too. */
function everythingIn(error: unknown): string {
  const texts: string[] = [];
  const visit = (value: unknown, depth: number): void => {
    if (typeof value === "string") texts.push(value);
    if (typeof value !== "object" || value === null || depth > 6) return;
    for (const key of Object.getOwnPropertyNames(value)) {
      texts.push(key);
      visit((value as Record<string, unknown>)[key], depth + 1);
    }
  };
  visit(error, 0);
  return texts.join("\n");
}

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 1;
}
