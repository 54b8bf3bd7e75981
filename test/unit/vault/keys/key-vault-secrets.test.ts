import { describe, expect, it } from "vitest";
import { keyVaultSecrets } from "../../../../lib/vault/keys/key-vault-secrets.ts";
import { startKeyVaultDouble } from "../../../support/key-vault-double.ts";

const FAST = { maxRetries: 1, retryDelayInMs: 1, maxRetryDelayInMs: 1 };

describe("secrets of a Key Vault", () => {
  it("are read in their newest version, each time anew", async () => {
    await using double = await startKeyVaultDouble();
    double.addSecret("SHOP-URL", "mysql://one");
    const read = keyVaultSecrets(double.url, FAST);
    expect(await read("SHOP-URL")).toBe("mysql://one");
    double.addSecret("SHOP-URL", "mysql://two");
    expect(await read("SHOP-URL")).toBe("mysql://two");
  });

  it("are what this process read last while the service is down", async () => {
    await using double = await startKeyVaultDouble();
    double.addSecret("SHOP-URL", "mysql://one");
    const read = keyVaultSecrets(double.url, FAST);
    await read("SHOP-URL");
    double.failNext(Infinity, 503);
    expect(await read("SHOP-URL")).toBe("mysql://one");
    await expect(read("OTHER")).rejects.toMatchObject({ code: "KEY_SERVICE_UNAVAILABLE" });
    double.failNext(Infinity, 403);
    await expect(read("SHOP-URL")).rejects.toMatchObject({ code: "KEY_SERVICE_REFUSED" });
  });

  it("are missing settings when they are not there", async () => {
    await using double = await startKeyVaultDouble();
    await expect(keyVaultSecrets(double.url, FAST)("ABSENT")).rejects.toMatchObject({
      code: "SETTING_MISSING",
      message: expect.stringContaining('secret "ABSENT"'),
    });
  });

  it("can't be had while the service is down", async () => {
    await using double = await startKeyVaultDouble();
    double.failNext(5, 503);
    await expect(keyVaultSecrets(double.url, FAST)("ANY")).rejects.toMatchObject({ code: "KEY_SERVICE_UNAVAILABLE" });
  });
});
