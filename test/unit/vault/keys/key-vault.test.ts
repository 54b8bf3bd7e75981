import { createPublicKey, verify } from "node:crypto";
import { KeyClient } from "@azure/keyvault-keys";
import { describe, expect, it } from "vitest";
import { makeDataKey, unwrapDataKey, wrapDataKey } from "../../../../lib/vault/keys/data-key.ts";
import {
  keyVaultDecryptionKey,
  keyVaultEncryptionKey,
  keyVaultSigningKey,
  openKeyVaultKey,
  openKeyVaultVersions,
  rotateKeyVaultKey,
} from "../../../../lib/vault/keys/key-vault.ts";
import { accessKeyVault } from "../../../../lib/vault/keys/key-vault-access.ts";
import { keyIdOf } from "../../../../lib/vault/keys/key.ts";
import { type KeyVaultDouble, startKeyVaultDouble } from "../../../support/key-vault-double.ts";
import { goldenPair } from "../../../support/golden-keys.ts";

const FAST = { maxRetries: 2, retryDelayInMs: 1, maxRetryDelayInMs: 2 };

function open(double: KeyVaultDouble, name: string, use: "RSA" | "EC") {
  return openKeyVaultKey(`${double.url}/keys/${name}`, use, FAST);
}

describe("a key in Key Vault", () => {
  it("wraps with the public key that was fetched once, and unwraps by a call", async () => {
    await using double = await startKeyVaultDouble();
    const url = double.addKey("encrypt", "RSA", goldenPair("encrypt"));
    const handle = await open(double, "encrypt", "RSA");
    const calls = double.calls.length;
    const dataKey = makeDataKey();

    const recipient = wrapDataKey(dataKey, "vault", keyVaultEncryptionKey(handle));

    expect(double.calls).toHaveLength(calls);
    expect(recipient).toMatchObject({ keyVaultKey: url, keyId: keyIdOf(goldenPair("encrypt").publicKey) });
    expect(await unwrapDataKey([recipient], [keyVaultDecryptionKey(handle)])).toEqual(dataKey);
    expect(double.calls.at(-1)).toMatch(/^POST \/keys\/encrypt\/[0-9a-f]{32}\/unwrapkey$/);
  });

  it("unwraps with the version that the manifest names after the key got a new one", async () => {
    await using double = await startKeyVaultDouble();
    double.addKey("encrypt", "RSA", goldenPair("encrypt"));
    const dataKey = makeDataKey();
    const recipient = wrapDataKey(dataKey, "vault", keyVaultEncryptionKey(await open(double, "encrypt", "RSA")));
    double.addKey("encrypt", "RSA", goldenPair("break-glass"));

    const newest = await open(double, "encrypt", "RSA");

    expect(newest.keyId).not.toBe(recipient.keyId);
    expect(await unwrapDataKey([recipient], [keyVaultDecryptionKey(newest)])).toEqual(dataKey);
  });

  it("asks no other vault and no other key, whatever a manifest names", async () => {
    await using double = await startKeyVaultDouble();
    await using foreign = await startKeyVaultDouble();
    double.addKey("encrypt", "RSA", goldenPair("encrypt"));
    foreign.addKey("encrypt", "RSA", goldenPair("break-glass"));
    const key = keyVaultDecryptionKey(await open(double, "encrypt", "RSA"));
    const elsewhere = wrapDataKey(makeDataKey(), "vault", keyVaultEncryptionKey(await open(foreign, "encrypt", "RSA")));
    const calls = foreign.calls.length;

    await expect(unwrapDataKey([elsewhere], [key])).rejects.toMatchObject({ code: "KEY_NOT_RECIPIENT" });

    expect(foreign.calls).toHaveLength(calls);
  });

  it("signs ES256 by a call, as node:crypto verifies it", async () => {
    await using double = await startKeyVaultDouble();
    double.addKey("sign", "EC");
    const key = keyVaultSigningKey(await open(double, "sign", "EC"));
    const data = Buffer.from("a certificate");

    const signature = await key.sign(data);

    expect(signature).toHaveLength(64);
    const publicKey = {
      key: createPublicKey(key.publicKey.export({ type: "spki", format: "pem" })),
      dsaEncoding: "ieee-p1363",
    } as const;
    expect(verify("sha256", data, publicKey, signature)).toBe(true);
  });

  it("tries again after being throttled", async () => {
    await using double = await startKeyVaultDouble();
    double.addKey("sign", "EC");
    const handle = await open(double, "sign", "EC");
    double.failNext(2, 429);

    await expect(keyVaultSigningKey(handle).sign(Buffer.from("data"))).resolves.toHaveLength(64);
  });

  it("waits as long as it is told before it tries again", async () => {
    await using double = await startKeyVaultDouble();
    double.addKey("sign", "EC");
    const handle = await open(double, "sign", "EC");
    double.failNext(1, 429, 1);
    const started = performance.now();
    await keyVaultSigningKey(handle).sign(Buffer.from("data"));
    expect(performance.now() - started).toBeGreaterThan(990);
  });

  it("has all its enabled versions, the newest first, and makes the next of the same kind", async () => {
    await using double = await startKeyVaultDouble({ pageSize: 1 });
    const first = double.addKey("sign", "EC");
    const second = double.addKey("sign", "EC");
    const url = `${double.url}/keys/sign`;
    const names = async () => (await openKeyVaultVersions(url, "EC", FAST)).map(({ keyVaultKey }) => keyVaultKey);
    expect(await names()).toEqual([second, first]);
    const third = await rotateKeyVaultKey(url, "EC", FAST);
    expect((await names())[0]).toBe(third.keyVaultKey);
    expect((await openKeyVaultVersions(first, "EC", FAST)).map(({ keyVaultKey }) => keyVaultKey)).toEqual([first]);
    await expect(rotateKeyVaultKey(first, "EC", FAST)).rejects.toMatchObject({ code: "KEY_INVALID" });
  });

  it.each([429, 503])(
    "says that the service is unavailable, and that a retry may help, after status %i",
    async (status) => {
      await using double = await startKeyVaultDouble();
      double.addKey("sign", "EC");
      const handle = await open(double, "sign", "EC");
      double.failNext(10, status);

      await expect(keyVaultSigningKey(handle).sign(Buffer.from("data"))).rejects.toMatchObject({
        code: "KEY_SERVICE_UNAVAILABLE",
        retryable: true,
      });
    },
  );

  it("says that the service is unavailable when nothing answers", async () => {
    const double = await startKeyVaultDouble();
    await double[Symbol.asyncDispose]();

    await expect(open(double, "sign", "EC")).rejects.toMatchObject({ code: "KEY_SERVICE_UNAVAILABLE" });
  });

  it("says that the service refused when there is no such key or no right", async () => {
    await using double = await startKeyVaultDouble();
    await expect(open(double, "absent", "RSA")).rejects.toMatchObject({
      code: "KEY_SERVICE_REFUSED",
      retryable: false,
    });
    double.addKey("sign", "EC");
    double.failNext(1, 403);
    await expect(open(double, "sign", "EC")).rejects.toMatchObject({ code: "KEY_SERVICE_REFUSED" });
  });

  it("refuses a key of the other kind", async () => {
    await using double = await startKeyVaultDouble();
    double.addKey("sign", "EC");
    await expect(open(double, "sign", "RSA")).rejects.toMatchObject({ code: "KEY_INVALID" });
  });

  it("refuses what is not the URL of a key", async () => {
    await expect(openKeyVaultKey("https://name.vault.azure.net/secrets/x", "RSA")).rejects.toMatchObject({
      code: "KEY_INVALID",
    });
  });

  it("sends no token over plain HTTP to a host that is not loopback", async () => {
    await expect(accessKeyVault("http://name.vault.azure.net", "keyVault")).rejects.toMatchObject({
      code: "KEY_INVALID",
    });
    for (const url of [
      "https://name.vault.azure.net",
      "https://localhost.example.net",
      "https://127.0.0.1.example.net",
    ]) {
      expect((await accessKeyVault(url, "keyVault")).options).toEqual({ retryOptions: expect.anything() });
    }
  });
});

describe("the double of Key Vault", () => {
  it("pages listings, and deletes softly, as the real client expects", async () => {
    await using double = await startKeyVaultDouble({ pageSize: 2 });
    for (const name of ["a", "b", "c", "d", "e"]) double.addKey(name, "EC");
    double.addKey("a", "EC");
    const { credential, options } = await accessKeyVault(double.url, "keyVault", FAST);
    const client = new KeyClient(double.url, credential, options);

    const names = (await Array.fromAsync(client.listPropertiesOfKeys())).map(({ name }) => name);
    expect(names).toEqual(["a", "b", "c", "d", "e"]);
    expect(await Array.fromAsync(client.listPropertiesOfKeyVersions("a"))).toHaveLength(2);

    await (await client.beginDeleteKey("b", { intervalInMs: 1 })).pollUntilDone();
    await expect(client.getKey("b")).rejects.toMatchObject({ statusCode: 404 });
    await expect(client.createKey("b", "EC")).rejects.toMatchObject({ statusCode: 409 });
    await (await client.beginRecoverDeletedKey("b", { intervalInMs: 1 })).pollUntilDone();
    expect((await client.getKey("b")).name).toBe("b");
  });
});
