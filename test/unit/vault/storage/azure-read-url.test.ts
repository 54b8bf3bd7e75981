import { BlobServiceClient } from "@azure/storage-blob";
import { describe, expect, it } from "vitest";
import { DEFAULT_TUNING } from "../../../../lib/vault/storage/azure-call.ts";
import { readUrls } from "../../../../lib/vault/storage/azure-read-url.ts";

const START = Date.parse("2026-11-21T23:00:00Z");
const HOUR_MS = 3_600_000;

/** An account whose service hands out delegation keys, or refuses to. */
function account(status = 200) {
  const requests: string[] = [];
  const body = `<?xml version="1.0"?><UserDelegationKey><SignedOid>oid</SignedOid><SignedTid>tid</SignedTid>
    <SignedStart>2026-11-21T22:45:00Z</SignedStart><SignedExpiry>2026-11-22T23:00:00Z</SignedExpiry>
    <SignedService>b</SignedService><SignedVersion>2024-11-04</SignedVersion><Value>c2VjcmV0</Value></UserDelegationKey>`;
  const credential = { getToken: async () => ({ token: "t", expiresOnTimestamp: Date.now() + HOUR_MS }) };
  const client = new BlobServiceClient("https://vault.blob.core.windows.net", credential, {
    retryOptions: { maxTries: 1 },
    httpClient: {
      sendRequest: async (request) => {
        requests.push(`${request.method} ${new URL(request.url).search}`);
        const headers = request.headers.clone();
        headers.set("content-type", "application/xml");
        return { request, status, headers, bodyAsText: status === 200 ? body : "" };
      },
    },
  });
  return { client, requests, blob: client.getContainerClient("resguardo").getBlobClient("shop/log/1") };
}

describe("a URL to read one blob by, of an identity", () => {
  it("is signed by a delegation key, for reading that blob only, over TLS, for some hours", async () => {
    const { client, blob } = account();
    const url = new URL(await readUrls("offsite", client, DEFAULT_TUNING, () => START)(blob));
    expect(url.origin + url.pathname).toBe("https://vault.blob.core.windows.net/resguardo/shop/log/1");
    const [permissions, resource, protocol] = ["sp", "sr", "spr"].map((key) => url.searchParams.get(key));
    expect([permissions, resource, protocol]).toEqual(["r", "b", "https"]);
    expect(url.searchParams.get("skoid")).toBe("oid");
    expect(url.searchParams.get("se")).toBe("2026-11-22T05:00:00Z");
  });

  it("asks for a key once, and again when the URL would outlive it", async () => {
    const { client, blob, requests } = account();
    let now = START;
    const readUrl = readUrls("offsite", client, DEFAULT_TUNING, () => now);
    await Promise.all([readUrl(blob), readUrl(blob)]);
    now = START + 17 * HOUR_MS;
    await readUrl(blob);
    expect(requests).toEqual(["POST ?restype=service&comp=userdelegationkey"]);
    now = START + 19 * HOUR_MS;
    await readUrl(blob);
    expect(requests).toHaveLength(2);
  });

  it("is refused where the identity may not delegate, and asked for anew the next time", async () => {
    const { client, blob, requests } = account(403);
    const readUrl = readUrls("offsite", client, DEFAULT_TUNING, () => START);
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(readUrl(blob)).rejects.toMatchObject({ code: "STORAGE_REFUSED" });
    }
    expect(requests).toHaveLength(2);
  });
});
