import type { SecretClient } from "@azure/keyvault-secrets";
import { AppError } from "../../core/errors.ts";
import { accessKeyVault, type RetryOptions, statusOf, toKeyServiceError } from "./key-vault-access.ts";

/**
 * Reads secrets of the Key Vault at `vaultUrl`, their newest version, anew each time; while it does not answer, a secret is what
 * this process read last. What it returns throws SETTING_MISSING where there is no such secret, KEY_SERVICE_UNAVAILABLE or
 * KEY_SERVICE_REFUSED.
 */
export function keyVaultSecrets(vaultUrl: string, retryOptions?: RetryOptions): (name: string) => Promise<string> {
  let client: SecretClient | undefined;
  const last = new Map<string, string>();
  return async (name) => {
    const what = `secret "${name}" of ${new URL(vaultUrl).host}`;
    client ??= await openClient(vaultUrl, retryOptions);
    const value = await client.getSecret(name).then(
      (secret) => secret.value,
      (error: unknown) => {
        if (statusOf(error) === 404) throw missing(what, error);
        const problem = toKeyServiceError(error, what);
        const known = last.get(name);
        if (known === undefined || problem.code !== "KEY_SERVICE_UNAVAILABLE") throw problem;
        return known;
      },
    );
    if (!value) throw missing(what);
    last.set(name, value);
    return value;
  };
}

async function openClient(vaultUrl: string, retryOptions?: RetryOptions): Promise<SecretClient> {
  const { credential, options } = await accessKeyVault(vaultUrl, "keyVault", retryOptions);
  const { SecretClient } = await import("@azure/keyvault-secrets");
  return new SecretClient(vaultUrl, credential, options);
}

function missing(what: string, cause?: unknown): AppError {
  return new AppError("SETTING_MISSING", `${what} is not there or is empty`, {
    hint: "Create the secret in the policy's Key Vault, or correct its name in the policy.",
    cause,
  });
}
