import type { KeyObject } from "node:crypto";
import { type AppError, toAppError } from "../core/errors.ts";
import type { EncryptionKey, TrustedKeys } from "./keys/key.ts";
import { isSameKey } from "./keys/key-vault.ts";
import { listPublishedKeys, readPublishedKey } from "./published-keys.ts";
import type { Vault } from "./vault.ts";

/*
 * What a process knows of public keys while Key Vault does not answer: what the vaults have of them. Needed are the vaults, and in
 * the policy the id of the signing key, without which nothing in a vault can be believed.
 */

/** The public key with an id that the policy names, from the first vault that has it. Vaults that do not answer are passed over. */
export async function cachedKey(vaults: readonly Vault[], keyId: string): Promise<KeyObject | undefined> {
  for (const vault of vaults) {
    const found = await unlessDown(() => readPublishedKey(vault, keyId));
    if (found) return found.publicKey;
  }
  return undefined;
}

/**
 * The newest public half of an encryption key in Key Vault that a believed signing key has signed, of all vaults that answer;
 * with `keyId`, that one. Whoever removes the newest from every vault can bring back an older version, and no key of his own.
 */
export async function cachedEncryptionKey(
  vaults: readonly Vault[],
  key: { keyUrl: string; keyId?: string | undefined },
  trusted: TrustedKeys,
): Promise<EncryptionKey | undefined> {
  const listed = await Promise.all(vaults.map((vault) => unlessDown(() => listPublishedKeys(vault))));
  const candidates = listed
    .flatMap((found) => found ?? [])
    .flatMap(({ keyVaultKey, ...found }) => (keyVaultKey === undefined ? [] : [{ ...found, keyVaultKey }]))
    .filter(({ use, keyVaultKey }) => use === "vault" && isSameKey(keyVaultKey, key.keyUrl))
    .filter(({ keyId }) => key.keyId === undefined || keyId === key.keyId)
    .filter(({ isSignedBy }) => isSignedBy(trusted))
    .toSorted((a, b) => (a.publishedAt < b.publishedAt ? 1 : -1));
  const [newest] = candidates;
  return newest && { keyId: newest.keyId, publicKey: newest.publicKey, keyVaultKey: newest.keyVaultKey };
}

/** What `fallback` finds while the key service does not answer; its error where that is nothing. */
export async function whileDown<Result>(
  ask: () => Promise<Result>,
  fallback: () => Promise<Result | undefined>,
  onFallback: (error: AppError) => void = () => {},
): Promise<Result> {
  try {
    return await ask();
  } catch (error: unknown) {
    const problem = toAppError(error);
    if (problem.code !== "KEY_SERVICE_UNAVAILABLE") throw error;
    const found = await fallback();
    if (found === undefined) throw error;
    onFallback(problem);
    return found;
  }
}

async function unlessDown<Result>(read: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await read();
  } catch (error: unknown) {
    if (toAppError(error).kind !== "storage") throw error;
    return undefined;
  }
}
