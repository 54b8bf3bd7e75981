import { AppError, toAppError } from "../core/errors.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import type { Vault } from "../vault/vault.ts";

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
