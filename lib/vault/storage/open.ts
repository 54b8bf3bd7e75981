import type { ResolvedVaultConfig } from "./config.ts";
import { openDirectoryVault } from "./directory.ts";
import type { VaultStorage } from "./storage.ts";

/** Opens a vault's storage without asking it anything yet. Throws STORAGE_PATH_INVALID for a URL or string that can't be one. */
export async function openVaultStorage(name: string, config: ResolvedVaultConfig): Promise<VaultStorage> {
  if (config.kind === "directory") return openDirectoryVault(name, config.path);
  // Loaded when needed: the cloud's client takes longer to load than a small backup takes to run.
  const { openAzureBlobVault } = await import("./azure-blob.ts");
  return openAzureBlobVault(name, config);
}
