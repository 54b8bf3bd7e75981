import { AppError } from "./errors.ts";
import type { Reference } from "./policy-schema.ts";

/** Finds the value of a reference; `field` is where the policy has it, for the error message. Throws SETTING_MISSING. */
export type ResolveSecret = (reference: Reference, field: string) => Promise<string>;

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Resolves `{"env"}` from `env` and `{"secret"}` through `readSecret` (Key Vault; absent when the policy names none).
 * Values are not cached here: a rotated secret is seen by the next job.
 */
export function secretResolver(env: Environment, readSecret?: (name: string) => Promise<string>): ResolveSecret {
  return async (reference, field) => {
    if ("env" in reference) {
      const value = env[reference.env];
      if (value) return value;
      throw new AppError("SETTING_MISSING", `${field}: environment variable "${reference.env}" is not set`, {
        hint: `Set ${reference.env} in the app's settings or in the environment of the command.`,
      });
    }
    if (readSecret) return readSecret(reference.secret);
    throw new AppError("SETTING_MISSING", `${field}: a secret is named, but the policy has no keyVault`, {
      hint: 'Add "keyVault": "https://NAME.vault.azure.net" to the policy, or name an environment variable instead.',
    });
  };
}
