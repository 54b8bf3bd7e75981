import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import type { CryptographyClient, JsonWebKey, KeyClient, KeyVaultKey } from "@azure/keyvault-keys";
import { AppError } from "../../core/errors.ts";
import { checkKey, type KeyUse } from "./local-keys.ts";
import { accessKeyVault, type KeyVaultAccess, type RetryOptions, toKeyServiceError } from "./key-vault-access.ts";
import { type DecryptionKey, type EncryptionKey, keyIdOf, type Recipient, type SigningKey } from "./key.ts";

/**
 * A key in Key Vault. Its public half is fetched once, here; wrapping needs no call after that, only unwrapping and
 * signing do. Every function throws KEY_SERVICE_UNAVAILABLE, KEY_SERVICE_REFUSED or KEY_INVALID.
 */
export interface KeyVaultKeyHandle {
  readonly keyId: string;
  readonly publicKey: KeyObject;
  /** The key's URL with its version. */
  readonly keyVaultKey: string;
  readonly access: KeyVaultAccess;
}

/** Fetches the public half of the key at `keyUrl`, its newest version where the URL names none. */
export async function openKeyVaultKey(
  keyUrl: string,
  use: KeyUse,
  retryOptions?: RetryOptions,
): Promise<KeyVaultKeyHandle> {
  return fetchKey(await openClient(keyUrl, retryOptions), use, parseKeyUrl(keyUrl).version);
}

/** Every enabled version of the key at `keyUrl`, the newest first; just the one where the URL names a version. */
export async function openKeyVaultVersions(
  keyUrl: string,
  use: KeyUse,
  retryOptions?: RetryOptions,
): Promise<KeyVaultKeyHandle[]> {
  const opened = await openClient(keyUrl, retryOptions);
  const newest = await fetchKey(opened, use, parseKeyUrl(keyUrl).version);
  if (parseKeyUrl(keyUrl).version !== undefined) return [newest];
  const listed = await Array.fromAsync(opened.client.listPropertiesOfKeyVersions(opened.name)).catch(
    (error: unknown) => {
      throw toKeyServiceError(error, keyUrl);
    },
  );
  const others = listed
    .filter(({ id, enabled }) => id !== newest.keyVaultKey && enabled !== false)
    .toSorted((a, b) => Number(b.createdOn ?? 0) - Number(a.createdOn ?? 0));
  return [newest, ...(await Promise.all(others.map(({ version }) => fetchKey(opened, use, version))))];
}

/** Makes a new version of the key, of the same kind and size, and returns it. */
export async function rotateKeyVaultKey(
  keyUrl: string,
  use: KeyUse,
  retryOptions?: RetryOptions,
): Promise<KeyVaultKeyHandle> {
  if (parseKeyUrl(keyUrl).version !== undefined) {
    throw new AppError("KEY_INVALID", `${keyUrl}: it names one version, which no other can follow`, {
      hint: "Name the key without a version in the policy.",
    });
  }
  const opened = await openClient(keyUrl, retryOptions);
  await opened.client.rotateKey(opened.name).catch((error: unknown) => {
    throw toKeyServiceError(error, keyUrl);
  });
  return fetchKey(opened, use, undefined);
}

interface OpenedClient {
  client: KeyClient;
  access: KeyVaultAccess;
  keyUrl: string;
  name: string;
}

async function openClient(keyUrl: string, retryOptions: RetryOptions | undefined): Promise<OpenedClient> {
  const { vaultUrl, name } = parseKeyUrl(keyUrl);
  const access = await accessKeyVault(keyUrl, keyUrl, retryOptions);
  const { KeyClient } = await import("@azure/keyvault-keys");
  return { client: new KeyClient(vaultUrl, access.credential, access.options), access, keyUrl, name };
}

async function fetchKey(
  { client, access, keyUrl, name }: OpenedClient,
  use: KeyUse,
  version: string | undefined,
): Promise<KeyVaultKeyHandle> {
  const found = await client.getKey(name, version === undefined ? {} : { version }).catch((error: unknown) => {
    throw toKeyServiceError(error, keyUrl);
  });
  const publicKey = checkKey(toPublicKey(found, keyUrl), use, keyUrl);
  return { keyId: keyIdOf(publicKey), publicKey, keyVaultKey: found.id ?? keyUrl, access };
}

export function keyVaultEncryptionKey({ keyId, publicKey, keyVaultKey }: KeyVaultKeyHandle): EncryptionKey {
  return { keyId, publicKey, keyVaultKey };
}

/** Unwraps with the version that the manifest names, as long as it is a version of this same key. */
export function keyVaultDecryptionKey(handle: KeyVaultKeyHandle): DecryptionKey {
  const versionOf = ({ keyId, keyVaultKey }: Recipient) => {
    if (keyVaultKey !== undefined && isSameKey(keyVaultKey, handle.keyVaultKey)) return keyVaultKey;
    return keyId === handle.keyId ? handle.keyVaultKey : undefined;
  };
  return {
    keyId: handle.keyId,
    accepts: (recipient) => versionOf(recipient) !== undefined,
    unwrap: async (recipient) => {
      const url = versionOf(recipient) ?? handle.keyVaultKey;
      const wrapped = Buffer.from(recipient.wrappedKey, "base64");
      const { result } = await call(url, handle.access, (client) => client.unwrapKey("RSA-OAEP-256", wrapped));
      return Buffer.from(result);
    },
  };
}

export function keyVaultSigningKey(handle: KeyVaultKeyHandle): SigningKey {
  const { keyId, publicKey, keyVaultKey, access } = handle;
  return {
    keyId,
    publicKey,
    sign: async (data) => {
      const digest = createHash("sha256").update(data).digest();
      const { result } = await call(keyVaultKey, access, (client) => client.sign("ES256", digest));
      return Buffer.from(result);
    },
  };
}

async function call<Result>(
  keyUrl: string,
  { credential, options }: KeyVaultAccess,
  operation: (client: CryptographyClient) => Promise<Result>,
): Promise<Result> {
  const { CryptographyClient } = await import("@azure/keyvault-keys");
  try {
    return await operation(new CryptographyClient(keyUrl, credential, options));
  } catch (error: unknown) {
    throw toKeyServiceError(error, keyUrl);
  }
}

interface KeyUrl {
  vaultUrl: string;
  name: string;
  version: string | undefined;
}

function parseKeyUrl(keyUrl: string): KeyUrl {
  const { origin, pathname } = URL.parse(keyUrl) ?? { origin: "", pathname: "" };
  const match = /^\/keys\/([0-9A-Za-z-]+)(?:\/([0-9a-f]+))?\/?$/.exec(pathname);
  const [, name, version] = match ?? [];
  if (name !== undefined) return { vaultUrl: origin, name, version };
  throw new AppError("KEY_INVALID", `not the URL of a Key Vault key: found "${keyUrl}"`, {
    hint: "Give https://NAME.vault.azure.net/keys/KEY, with or without a version.",
  });
}

/** A signed manifest may name any URL; a token goes only to the vault and the key that the policy names. */
export function isSameKey(one: string, other: string): boolean {
  const [a, b] = [parseKeyUrl(one), parseKeyUrl(other)];
  return a.vaultUrl === b.vaultUrl && a.name === b.name;
}

function toPublicKey({ key }: KeyVaultKey, keyUrl: string): KeyObject {
  try {
    return createPublicKey({ key: toNodeJwk(key ?? {}), format: "jwk" });
  } catch (error: unknown) {
    throw new AppError("KEY_INVALID", `${keyUrl}: found a key of type ${key?.kty ?? "none"} that can't be used`, {
      hint: "Make an RSA key of 3072 bits to encrypt, or an EC key on P-256 to sign.",
      cause: error,
    });
  }
}

/** Keys in hardware are called RSA-HSM and EC-HSM; their public halves are the same. */
function toNodeJwk({ kty, crv, n, e, x, y }: JsonWebKey): Record<string, string> {
  const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("base64url");
  return kty?.startsWith("RSA")
    ? { kty: "RSA", n: text(n), e: text(e) }
    : { kty: "EC", crv: crv ?? "", x: text(x), y: text(y) };
}
