import { reportError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { Vault } from "./vault.ts";

const prepared = new WeakSet<Vault>();

/**
 * Makes containers and folders that are not there yet, once a process. A vault that can't be prepared is logged and tried
 * again by the next call; the work goes on in the others, and meets its failure there.
 */
export async function prepareVaults(vaults: Iterable<Vault>, logger: Logger): Promise<void> {
  for (const vault of vaults) {
    if (prepared.has(vault)) continue;
    try {
      await vault.storage.prepare();
      prepared.add(vault);
    } catch (error: unknown) {
      logger.warn("vault-not-prepared", { vault: vault.name, ...reportError(error) });
    }
  }
}
