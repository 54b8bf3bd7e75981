import type { TokenCredential } from "@azure/identity";
import { AppError } from "../../core/errors.ts";

/** How the clients of Key Vault are opened. */
export interface KeyVaultAccess {
  credential: TokenCredential;
  options: KeyVaultClientOptions;
}

interface KeyVaultClientOptions {
  retryOptions: RetryOptions;
  disableChallengeResourceVerification?: true;
  allowInsecureConnection?: true;
}

export interface RetryOptions {
  maxRetries: number;
  retryDelayInMs: number;
  maxRetryDelayInMs: number;
}

/** Short: a job retries anyway, and a backup that waits for minutes says nothing meanwhile. */
const RETRIES: RetryOptions = { maxRetries: 3, retryDelayInMs: 500, maxRetryDelayInMs: 4000 };
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * Access to the Key Vault of a URL: by managed identity (or a developer's own login), over HTTPS. Only a server on
 * loopback, a double, may use plain HTTP and skip the check that the challenge names the vault's domain; it is never sent
 * a real token. Throws KEY_INVALID.
 */
export async function accessKeyVault(
  url: string,
  field: string,
  retryOptions: RetryOptions = RETRIES,
): Promise<KeyVaultAccess> {
  const { protocol, hostname } = new URL(url);
  if (LOOPBACK.has(hostname)) {
    return {
      credential: loopbackCredential,
      options: { retryOptions, disableChallengeResourceVerification: true, allowInsecureConnection: true },
    };
  }
  if (protocol !== "https:") {
    throw new AppError("KEY_INVALID", `${field}: found a URL with ${protocol}, expected https:`, {
      hint: "Key Vault is reached by https://NAME.vault.azure.net; plain HTTP is for a double on loopback.",
    });
  }
  // Here and in its neighbours, Azure's clients are loaded when they are needed: it takes longer than most commands run.
  const { DefaultAzureCredential } = await import("@azure/identity");
  return { credential: new DefaultAzureCredential(), options: { retryOptions } };
}

const loopbackCredential: TokenCredential = {
  getToken: async () => ({ token: "loopback", expiresOnTimestamp: Date.now() + 3_600_000 }),
};

/** The HTTP status that a client's error carries; undefined where no answer came. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number"
    ? error.statusCode
    : undefined;
}

/** Turns a client's error into KEY_SERVICE_UNAVAILABLE (retryable) or KEY_SERVICE_REFUSED. `what` is the object asked for. */
export function toKeyServiceError(error: unknown, what: string): AppError {
  const status = statusOf(error);
  const reason = error instanceof Error && "code" in error && typeof error.code === "string" ? ` (${error.code})` : "";
  if (isIdentityError(error)) {
    return new AppError("KEY_SERVICE_REFUSED", `${what}: no identity to ask Key Vault with`, {
      hint: "Assign the app its managed identity and set AZURE_CLIENT_ID, or log in with `az login`.",
      cause: error,
    });
  }
  if (status === undefined || status === 429 || status === 408 || status >= 500) {
    const found = status === undefined ? "no answer" : `status ${status}`;
    return new AppError("KEY_SERVICE_UNAVAILABLE", `${what}: ${found} from Key Vault${reason}`, {
      hint: "Try again later; if it lasts, look at the service's health, its firewall and the name in the policy.",
      cause: error,
    });
  }
  return new AppError("KEY_SERVICE_REFUSED", `${what}: status ${status} from Key Vault${reason}`, {
    hint: "Check that the object exists and is enabled, and that the identity has the role for it.",
    cause: error,
  });
}

function isIdentityError(error: unknown): boolean {
  return (
    error instanceof Error && /^(?:CredentialUnavailable|Authentication|AggregateAuthentication)Error$/.test(error.name)
  );
}
