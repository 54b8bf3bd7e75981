import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDirectoryVault } from "../../../../lib/vault/storage/directory.ts";
import { describeStorage } from "../../../support/describe-storage.ts";

describeStorage(
  "a vault in a directory",
  async () => {
    const path = await mkdtemp(join(tmpdir(), "vault-"));
    const vault = openDirectoryVault("directory", path);
    await vault.prepare();
    return {
      vault,
      openAgain: async () => openDirectoryVault("again", path),
      [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
    };
  },
  { memoryBytes: 64 * 1024 * 1024 },
);
