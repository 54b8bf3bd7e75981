import { openMemoryVault } from "../../../../lib/vault/storage/memory.ts";
import { describeStorage } from "../../../support/describe-storage.ts";

describeStorage(
  "a vault in memory",
  async () => {
    const vault = openMemoryVault("memory");
    const openElsewhere = async () => openMemoryVault("elsewhere");
    return { vault, openAgain: async () => vault, openElsewhere, [Symbol.asyncDispose]: async () => undefined };
  },
  { memoryBytes: Number.POSITIVE_INFINITY },
);
