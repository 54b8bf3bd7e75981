import { describe, expect, it } from "vitest";
import { isVaultAddress, parseVaultAddress } from "../../../../lib/vault/storage/vault-address.ts";

describe("the address of a vault", () => {
  it("names a folder, or a container with its SAS", () => {
    expect(parseVaultAddress("dir:/mnt/stick")).toEqual({ kind: "directory", path: "/mnt/stick" });
    expect(parseVaultAddress("az:https://name.blob.core.windows.net/backups?sv=1&sig=a%2Bb")).toEqual({
      kind: "azure-blob",
      url: "https://name.blob.core.windows.net/?sv=1&sig=a%2Bb",
      container: "backups",
    });
    expect(parseVaultAddress("az:http://127.0.0.1:10000/devstoreaccount1/backups/?sig=x")).toEqual({
      kind: "azure-blob",
      url: "http://127.0.0.1:10000/devstoreaccount1?sig=x",
      container: "backups",
    });
  });

  it("is told from the name of a vault in a policy", () => {
    expect(["dir:x", "az:https://a/b"].map(isVaultAddress)).toEqual([true, true]);
    expect(["primary", "azure", "directory"].map(isVaultAddress)).toEqual([false, false, false]);
  });

  it("is refused without its text, which may hold a SAS", () => {
    for (const text of ["dir:", "az:", "az:name?sig=secret", "az:https://name.blob.core.windows.net/?sig=secret"]) {
      try {
        parseVaultAddress(text);
        expect.unreachable();
      } catch (error: unknown) {
        expect(error).toMatchObject({ code: "USAGE" });
        expect(String(error)).not.toContain("secret");
      }
    }
  });
});
