import { createPublicKey, type KeyObject, privateDecrypt, sign } from "node:crypto";
import { AppError } from "../../core/errors.ts";
import { OAEP_256 } from "./data-key.ts";
import { type DecryptionKey, keyIdOf, type SigningKey } from "./key.ts";

/** `RSA` encrypts, `EC` signs. */
export type KeyUse = "RSA" | "EC";

const MIN_RSA_BITS = 3072;

/** A decryption key that is at hand. */
export function localDecryptionKey(privateKey: KeyObject): DecryptionKey {
  const keyId = keyIdOf(createPublicKey(privateKey));
  return {
    keyId,
    accepts: (recipient) => recipient.keyId === keyId,
    unwrap: async ({ wrappedKey }) => {
      try {
        return privateDecrypt({ key: privateKey, ...OAEP_256 }, Buffer.from(wrappedKey, "base64"));
      } catch (error: unknown) {
        throw new AppError("KEY_NOT_RECIPIENT", `key ${keyId} does not open the data key that is wrapped for it`, {
          hint: "The manifest's wrapped key is damaged; use the other recipient's private key.",
          cause: error,
        });
      }
    },
  };
}

/** A signing key that is at hand. */
export function localSigningKey(privateKey: KeyObject): SigningKey {
  const publicKey = createPublicKey(privateKey);
  return { keyId: keyIdOf(publicKey), publicKey, sign: async (data) => signEs256(data, privateKey) };
}

/** ES256 as JWS has it: SHA-256, r and s one after the other. */
export function signEs256(data: Buffer, privateKey: KeyObject): Buffer {
  return sign("sha256", data, { key: privateKey, dsaEncoding: "ieee-p1363" });
}

/** Refuses a key of the wrong kind or too short. Throws KEY_INVALID. */
export function checkKey(key: KeyObject, use: KeyUse, field: string): KeyObject {
  const details = key.asymmetricKeyDetails;
  const found =
    key.asymmetricKeyType === "rsa"
      ? `RSA with ${details?.modulusLength} bits`
      : `${key.asymmetricKeyType} ${details?.namedCurve ?? ""}`.trim();
  const isRight =
    use === "RSA"
      ? key.asymmetricKeyType === "rsa" && (details?.modulusLength ?? 0) >= MIN_RSA_BITS
      : key.asymmetricKeyType === "ec" && details?.namedCurve === "prime256v1";
  if (isRight) return key;
  const expected = use === "RSA" ? `RSA with at least ${MIN_RSA_BITS} bits` : "ec prime256v1 (P-256)";
  throw new AppError("KEY_INVALID", `${field}: found ${found}, expected ${expected}`, {
    hint: "Make keys with `resguardo keys init`, or in Key Vault with the expected kind and size.",
  });
}
