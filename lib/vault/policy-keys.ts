import { isAbsolute, join } from "node:path";
import { AppError } from "../core/errors.ts";
import type { KeyPolicy, Policy } from "../core/policy-schema.ts";
import type { ResolveSecret } from "../core/secrets.ts";
import { readEncryptionKey, readPrivateKey, readPublicKey } from "./keys/file-keys.ts";
import type { DecryptionKey, EncryptionKey, SigningKey, TrustedKeys } from "./keys/key.ts";
import { trust } from "./keys/key.ts";
import { keyVaultDecryptionKey, keyVaultEncryptionKey, keyVaultSigningKey, openKeyVaultKey } from "./keys/key-vault.ts";
import { localDecryptionKey, localSigningKey } from "./keys/local-keys.ts";

/** Where the keys of a policy come from. */
export interface KeySource {
  keys: Policy["keys"];
  /** Folder that relative paths start at. */
  baseDir: string;
  resolve: ResolveSecret;
}

/** The two recipients of each data key. Needs public halves only. Throws KEY_INVALID, KEY_SERVICE_*. */
export async function openRecipients({
  keys,
  baseDir,
}: KeySource): Promise<{ vault: EncryptionKey; breakGlass: EncryptionKey }> {
  const breakGlass = await readEncryptionKey(inFolder(baseDir, keys.breakGlass.publicKey));
  const { encrypt } = keys;
  if (encrypt.kind === "key-vault") {
    return { vault: keyVaultEncryptionKey(await openKeyVaultKey(encrypt.keyUrl, "RSA")), breakGlass };
  }
  return { vault: await readEncryptionKey(inFolder(baseDir, encrypt.publicKey)), breakGlass };
}

/** The key that opens data keys. Throws SETTING_MISSING where this side holds none, KEY_INVALID, KEY_SERVICE_*. */
export async function openDecryptionKey({ keys, baseDir, resolve }: KeySource): Promise<DecryptionKey> {
  const { encrypt } = keys;
  if (encrypt.kind === "key-vault") {
    return keyVaultDecryptionKey(await openKeyVaultKey(encrypt.keyUrl, "RSA"));
  }
  return localDecryptionKey(await privateKeyOf(encrypt, "RSA", "keys.encrypt", baseDir, resolve));
}

/** The long-lived signing key. Throws SETTING_MISSING where this side holds none, KEY_INVALID, KEY_SERVICE_*. */
export async function openSigningKey({ keys, baseDir, resolve }: KeySource): Promise<SigningKey> {
  const { sign } = keys;
  if (sign.kind === "key-vault") return keyVaultSigningKey(await openKeyVaultKey(sign.keyUrl, "EC"));
  return localSigningKey(await privateKeyOf(sign, "EC", "keys.sign", baseDir, resolve));
}

/** The public keys whose signatures count. Throws KEY_INVALID, KEY_SERVICE_*. */
export async function openTrustedKeys({ keys, baseDir }: KeySource): Promise<TrustedKeys> {
  const { sign } = keys;
  if (sign.kind === "key-vault") return trust([(await openKeyVaultKey(sign.keyUrl, "EC")).publicKey]);
  return trust([await readPublicKey(inFolder(baseDir, sign.publicKey), "EC")]);
}

async function privateKeyOf(
  key: Extract<KeyPolicy, { kind: "file" }>,
  use: "RSA" | "EC",
  field: string,
  baseDir: string,
  resolve: ResolveSecret,
) {
  if (!key.privateKey) {
    throw new AppError("SETTING_MISSING", `${field}.privateKey: the policy names no private key`, {
      hint: "Add a reference to it where this side may sign or decrypt, or run the command where it is at hand.",
    });
  }
  const value = await resolve(key.privateKey, `${field}.privateKey`);
  return readPrivateKey(value.includes("-----BEGIN") ? value : inFolder(baseDir, value), use, `${field}.privateKey`);
}

function inFolder(baseDir: string, path: string): string {
  return isAbsolute(path) ? path : join(baseDir, path);
}
