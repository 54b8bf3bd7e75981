import { constants, publicEncrypt, randomBytes } from "node:crypto";
import { AppError, toAppError } from "../../core/errors.ts";
import type { DecryptionKey, EncryptionKey, Recipient, RecipientRole } from "./key.ts";

const DATA_KEY_BYTES = 32;
/** RSAES-OAEP with SHA-256, for the mask too: what Key Vault calls RSA-OAEP-256. */
export const OAEP_256 = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" } as const;

/** A new key for the data of one backup. It lives in memory only; manifests hold it wrapped. */
export function makeDataKey(): Buffer {
  return randomBytes(DATA_KEY_BYTES);
}

/** Wraps a data key for one recipient, with the public key only. */
export function wrapDataKey(dataKey: Uint8Array, role: RecipientRole, key: EncryptionKey): Recipient {
  const wrapped = publicEncrypt({ key: key.publicKey, ...OAEP_256 }, dataKey);
  const recipient: Recipient = {
    role,
    keyId: key.keyId,
    algorithm: "RSA-OAEP-256",
    wrappedKey: wrapped.toString("base64"),
  };
  return key.keyVaultKey === undefined ? recipient : { ...recipient, keyVaultKey: key.keyVaultKey };
}

/**
 * The data key of a backup, by the first of `keys` that is one of its recipients. Throws KEY_NOT_RECIPIENT when none is,
 * and what the key's service throws.
 */
export async function unwrapDataKey(recipients: readonly Recipient[], keys: readonly DecryptionKey[]): Promise<Buffer> {
  let failure: AppError | undefined;
  for (const key of keys) {
    for (const recipient of recipients.filter((candidate) => key.accepts(candidate))) {
      try {
        return await unwrapOne(recipient, key);
      } catch (error: unknown) {
        // A version that its service has disabled, or a damaged copy: another one may still open.
        const problem = toAppError(error);
        if (!["KEY_NOT_RECIPIENT", "KEY_SERVICE_REFUSED"].includes(problem.code)) throw error;
        failure ??= problem;
      }
    }
  }
  if (failure !== undefined) throw failure;
  const wanted = recipients.map(({ role, keyId }) => `${keyId} (${role})`).join(" or ");
  const found = keys.length === 0 ? "none" : keys.map((key) => key.keyId).join(", ");
  throw new AppError("KEY_NOT_RECIPIENT", `the backup is sealed for key ${wanted}, found ${found}`, {
    hint: "Give the private key with one of these ids; `keys/ID.json` in the vault says what each of them is.",
  });
}

async function unwrapOne(recipient: Recipient, key: DecryptionKey): Promise<Buffer> {
  const dataKey = await key.unwrap(recipient);
  if (dataKey.length === DATA_KEY_BYTES) return dataKey;
  throw new AppError(
    "KEY_NOT_RECIPIENT",
    `key ${key.keyId}: the wrapped data key has ${dataKey.length} bytes, expected 32`,
  );
}

/** Several private keys as one, that opens what any of them opens; it goes by the name of the first. */
export function anyKey(keys: readonly DecryptionKey[]): DecryptionKey {
  const [first] = keys;
  if (first === undefined) throw new AppError("INVARIANT", "a set of private keys without any");
  if (keys.length === 1) return first;
  return {
    keyId: first.keyId,
    accepts: (recipient) => keys.some((key) => key.accepts(recipient)),
    unwrap: async (recipient) => (keys.find((key) => key.accepts(recipient)) ?? first).unwrap(recipient),
  };
}
