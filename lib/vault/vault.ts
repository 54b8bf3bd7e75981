import type { VaultStorage } from "./storage/storage.ts";

/** A place where backups are kept, by its name in the policy. */
export interface Vault {
  readonly name: string;
  readonly storage: VaultStorage;
}
