import { randomUUID } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { openAzureBlobVault } from "../../../../lib/vault/storage/azure-blob.ts";
import { type TestAzurite, startTestAzurite } from "../../../support/azurite.ts";
import { describeStorage } from "../../../support/describe-storage.ts";

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
      [Symbol.asyncDispose]: async () => undefined,
    };
  },
  { memoryBytes: 128 * 1024 * 1024 },
);
