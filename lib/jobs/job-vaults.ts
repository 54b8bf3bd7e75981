import { AppError, reportError, toAppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import type { Vault } from "../vault/vault.ts";

/**
 * Makes containers and folders that are not there yet. A vault that can't be prepared is logged and left to fail by itself
 * in the work, which goes on in the others.
 */
export async function prepareVaults(context: Context, source: SourcePolicy, logger: Logger): Promise<void> {
  for (const { name, storage } of vaultsOf(context, source)) {
    try {
      await storage.prepare();
    } catch (error: unknown) {
      logger.warn("vault-not-prepared", { source: source.name, vault: name, ...reportError(error) });
    }
  }
}

/**
 * The first vault of a source whose state can be read: leases are kept there. Should two workers see different vaults, both
 * may run, which costs work and no data: every backup has an id and a key of its own. Throws STORAGE_UNAVAILABLE.
 */
export async function firstAnswering(context: Context, source: SourcePolicy): Promise<Vault> {
  let failure: unknown;
  for (const vault of vaultsOf(context, source)) {
    try {
      await vault.storage.state.get(`leases/${source.name}/backup`);
      return vault;
    } catch (error: unknown) {
      if (toAppError(error).kind !== "storage") throw error;
      failure = error;
    }
  }
  throw new AppError("STORAGE_UNAVAILABLE", `${source.name}: no vault answers`, {
    hint: "Check the vaults of the policy with `resguardo check`.",
    cause: failure,
  });
}
