import { openMemoryVault } from "../../../../lib/vault/storage/memory.ts";
import { describeStorage } from "../../../support/describe-storage.ts";

describeStorage(
  "a vault in memory",
  async () => {
    const vault = openMemoryVault("memory");
    return { vault, openAgain: async () => vault, [Symbol.asyncDispose]: async () => undefined };
  },
  { memoryBytes: Number.POSITIVE_INFINITY },
);
