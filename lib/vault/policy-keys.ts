import type { KeyObject } from "node:crypto";
import { isAbsolute, join } from "node:path";
import { AppError, toAppError } from "../core/errors.ts";
import type { KeyPolicy, Policy } from "../core/policy-schema.ts";
import type { ResolveSecret } from "../core/secrets.ts";
import { cachedEncryptionKey, cachedKey, whileDown } from "./cached-keys.ts";
import { anyKey } from "./keys/data-key.ts";
import { readEncryptionKey, readPrivateKey, readPublicKey } from "./keys/file-keys.ts";
import type { DecryptionKey, SigningKey, TrustedKeys } from "./keys/key.ts";
import {
  keyVaultDecryptionKey,
  keyVaultEncryptionKey,
  type KeyVaultKeyHandle,
  keyVaultSigningKey,
  openKeyVaultKey,
  openKeyVaultVersions,
} from "./keys/key-vault.ts";
import { checkKey, localDecryptionKey, localSigningKey } from "./keys/local-keys.ts";
import type { Recipients } from "./segment-writer.ts";
import type { Vault } from "./vault.ts";

/** Where the keys of a policy come from. */
export interface KeySource {
  keys: Policy["keys"];
  /** Folder that relative paths start at. */
  baseDir: string;
  resolve: ResolveSecret;
}

type KeyVaultPolicy = Extract<KeyPolicy, { kind: "key-vault" }>;

/** Where public keys are found while Key Vault does not answer. */
export interface KeyCache {
  vaults: readonly Vault[];
  trusted: () => Promise<TrustedKeys>;
  /** Told that they were needed. */
  onUsed: (error: AppError) => void;
}

/**
 * The two recipients of each data key. Needs public halves only, and those of a key in Key Vault from the vaults while that does
 * not answer. Throws KEY_INVALID, KEY_SERVICE_*.
 */
export async function openRecipients({ keys, baseDir }: KeySource, cache: KeyCache): Promise<Recipients> {
  const breakGlass = await readEncryptionKey(inFolder(baseDir, keys.breakGlass.publicKey));
  const { encrypt } = keys;
  if (encrypt.kind === "key-vault") {
    const ask = async () => keyVaultEncryptionKey(await openNewest(encrypt, "RSA"));
    const fromVaults = async () => cachedEncryptionKey(cache.vaults, encrypt, await cache.trusted());
    return { vault: await whileDown(ask, fromVaults, cache.onUsed), breakGlass };
  }
  return { vault: await readEncryptionKey(inFolder(baseDir, encrypt.publicKey)), breakGlass };
}

/**
 * The key that opens data keys; the earlier ones of the policy stand behind it. Throws SETTING_MISSING where this side holds
 * none, KEY_INVALID, KEY_SERVICE_*.
 */
export async function openDecryptionKey(source: KeySource): Promise<DecryptionKey> {
  const { encrypt, previous } = source.keys;
  const open = async (key: KeyPolicy, field: string): Promise<DecryptionKey> =>
    key.kind === "key-vault"
      ? keyVaultDecryptionKey(await openNewest(key, "RSA"))
      : localDecryptionKey(await privateKeyOf(key, "RSA", field, source));
  const earlier = previous.map((key, index) => open(key, `keys.previous.${index}`));
  return anyKey(await Promise.all([open(encrypt, "keys.encrypt"), ...earlier]));
}

/**
 * The long-lived signing key: of a key in Key Vault, its newest version that is believed and not retired. Throws SETTING_MISSING
 * where this side holds none, KEY_UNTRUSTED, KEY_RETIRED, KEY_INVALID, KEY_SERVICE_*.
 */
export async function openSigningKey(source: KeySource, trusted: TrustedKeys, now: Date): Promise<SigningKey> {
  const { sign } = source.keys;
  if (sign.kind === "file") {
    const key = localSigningKey(await privateKeyOf(sign, "EC", "keys.sign", source));
    return assertMaySign(key, trusted, now);
  }
  const newest = await openKeyVaultKey(sign.keyUrl, "EC");
  if (maySign(newest, trusted, now)) return keyVaultSigningKey(newest);
  const versions = await openKeyVaultVersions(sign.keyUrl, "EC");
  return assertMaySign(keyVaultSigningKey(versions.find((key) => maySign(key, trusted, now)) ?? newest), trusted, now);
}

/**
 * The public signing keys that are believed without anybody's word: the policy's file, the version that it names, or every
 * version of its key. Throws KEY_INVALID, KEY_SERVICE_*.
 */
export async function openTrustRoots(
  { keys: { sign }, baseDir }: KeySource,
  vaults: readonly Vault[],
): Promise<KeyObject[]> {
  if (sign.kind === "file") return [await readPublicKey(inFolder(baseDir, sign.publicKey), "EC")];
  const cached = sign.keyId === undefined ? undefined : await cachedKey(vaults, sign.keyId);
  if (cached) return [checkKey(cached, "EC", sign.keyUrl)];
  const versions = await openKeyVaultVersions(sign.keyUrl, "EC").catch((error: unknown) => {
    throw sign.keyId === undefined ? withoutPin(error) : error;
  });
  const wanted = versions.filter(({ keyId }) => sign.keyId === undefined || keyId === sign.keyId);
  if (wanted.length > 0) return wanted.map(({ publicKey }) => publicKey);
  throw otherKey(sign, versions);
}

/** Nothing in a vault says which key is to be believed: only the policy can. */
function withoutPin(error: unknown): AppError {
  const problem = toAppError(error);
  if (problem.code !== "KEY_SERVICE_UNAVAILABLE") return problem;
  return new AppError(problem.code, problem.message, {
    hint: "Name the key's id in the policy, as `keys.sign.keyId`: then its public half is taken from the vaults meanwhile.",
    cause: error,
  });
}

async function openNewest(key: KeyVaultPolicy, use: "RSA" | "EC"): Promise<KeyVaultKeyHandle> {
  const newest = await openKeyVaultKey(key.keyUrl, use);
  if (key.keyId === undefined || newest.keyId === key.keyId) return newest;
  const versions = await openKeyVaultVersions(key.keyUrl, use);
  const wanted = versions.find(({ keyId }) => keyId === key.keyId);
  if (wanted) return wanted;
  throw otherKey(key, versions);
}

function otherKey({ keyUrl, keyId }: KeyVaultPolicy, versions: readonly KeyVaultKeyHandle[]): AppError {
  const found = versions.map((version) => version.keyId).join(", ") || "none";
  return new AppError("KEY_INVALID", `${keyUrl}: found versions with the key ids ${found}, expected ${keyId}`, {
    hint: "Correct `keyId` in the policy, or enable that version of the key.",
  });
}

/** Whether what this key signs now is believed. */
export function maySign({ keyId }: { keyId: string }, trusted: TrustedKeys, now: Date): boolean {
  const key = trusted.get(keyId);
  return key !== undefined && (key.retiredAt === undefined || now < key.retiredAt);
}

/** What an unknown or retired key signs is refused by every reader, so nothing is signed with one. */
function assertMaySign(key: SigningKey, trusted: TrustedKeys, now: Date): SigningKey {
  if (maySign(key, trusted, now)) return key;
  const retiredAt = trusted.get(key.keyId)?.retiredAt;
  if (retiredAt) {
    throw new AppError("KEY_RETIRED", `keys.sign: key ${key.keyId} was retired at ${retiredAt.toISOString()}`, {
      hint: "Name the key that follows it in the policy; `resguardo keys rotate --signing` said which one that is.",
    });
  }
  const believed = [...trusted.keys()].join(", ");
  throw new AppError("KEY_UNTRUSTED", `keys.sign: found the private key ${key.keyId}, expected one of ${believed}`, {
    hint: "Private and public key of the policy belong together; a new key is introduced by `resguardo keys rotate --signing`.",
  });
}

async function privateKeyOf(
  key: Extract<KeyPolicy, { kind: "file" }>,
  use: "RSA" | "EC",
  field: string,
  { baseDir, resolve }: KeySource,
) {
  if (!key.privateKey) {
    throw new AppError("SETTING_MISSING", `${field}.privateKey: the policy names no private key`, {
      hint: "Add a reference to it where this side may sign or decrypt, or run the command where it is at hand.",
    });
  }
  const value = await resolve(key.privateKey, `${field}.privateKey`);
  return readPrivateKey(value.includes("-----BEGIN") ? value : inFolder(baseDir, value), use, `${field}.privateKey`);
}

/** A path of the policy. */
export function inFolder(baseDir: string, path: string): string {
  return isAbsolute(path) ? path : join(baseDir, path);
}
