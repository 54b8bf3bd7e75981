import { AuthenticationError, CredentialUnavailableError } from "@azure/identity";
import { RestError } from "@azure/storage-blob";
import { describe, expect, it } from "vitest";
import { AppError } from "../../../../lib/core/errors.ts";
import { call, DEFAULT_TUNING } from "../../../../lib/vault/storage/azure-call.ts";

const request = { label: "primary", action: "write blob", name: "shop/a" };
const answer = (code: string, statusCode: number) => new RestError("text of the service", { code, statusCode });

describe("call", () => {
  it.each([
    [answer("BlobNotFound", 404), "BLOB_MISSING", false],
    [answer("ContainerNotFound", 404), "STORAGE_REFUSED", false],
    [answer("AuthorizationPermissionMismatch", 403), "STORAGE_REFUSED", false],
    [answer("BlobImmutableDueToPolicy", 409), "STORAGE_REFUSED", false],
    [answer("Md5Mismatch", 400), "STORAGE_UNAVAILABLE", true],
    [answer("ServerBusy", 503), "STORAGE_UNAVAILABLE", true],
    [answer("TooManyRequests", 429), "STORAGE_UNAVAILABLE", true],
    [new RestError("getaddrinfo", { code: "ENOTFOUND" }), "STORAGE_UNAVAILABLE", true],
    [new CredentialUnavailableError("no identity endpoint"), "STORAGE_REFUSED", false],
    [new AuthenticationError(401, "refused"), "STORAGE_REFUSED", false],
    [new AuthenticationError(503, "login service down"), "STORAGE_UNAVAILABLE", true],
  ])("codes %s as %s", async (failure, code, retryable) => {
    const thrown = await call(request, DEFAULT_TUNING, () => Promise.reject(failure)).catch(
      (caught: unknown) => caught,
    );
    expect(thrown).toBeInstanceOf(AppError);
    expect(thrown).toMatchObject({ code, retryable, hint: expect.stringMatching(/\.$/) });
    expect(String(thrown)).toMatch(/vault primary: .*shop\/a/);
    expect(String(thrown)).not.toContain("text of the service");
  });

  it("lets coded errors pass as they are", async () => {
    const error = new AppError("BLOB_DAMAGED", "from inside");
    await expect(call(request, DEFAULT_TUNING, () => Promise.reject(error))).rejects.toBe(error);
  });
});
