import { createHash, type KeyObject } from "node:crypto";

/** What a recipient of a data key is for. */
export type RecipientRole = "vault" | "break-glass";

/** One wrapped copy of a data key, as manifests carry it. */
export interface Recipient {
  role: RecipientRole;
  /** `keyIdOf` the public key it is wrapped for. */
  keyId: string;
  algorithm: "RSA-OAEP-256";
  /** Base64. */
  wrappedKey: string;
  /** For a key in Key Vault, its URL with the version: what to ask to unwrap. */
  keyVaultKey?: string | undefined;
}

/** The public half of an RSA key: all that a backup needs. */
export interface EncryptionKey {
  readonly keyId: string;
  readonly publicKey: KeyObject;
  /** Set for a key in Key Vault. */
  readonly keyVaultKey?: string;
}

/** A private RSA key, here or in a key service. */
export interface DecryptionKey {
  readonly keyId: string;
  /** Whether this key, or another version of it that its service still has, can unwrap that copy. */
  accepts(recipient: Recipient): boolean;
  /** The data key. Throws KEY_NOT_RECIPIENT, KEY_SERVICE_UNAVAILABLE, KEY_SERVICE_REFUSED. */
  unwrap(recipient: Recipient): Promise<Buffer>;
}

/** A private EC P-256 key, here or in a key service. */
export interface SigningKey {
  readonly keyId: string;
  readonly publicKey: KeyObject;
  /** ES256: r and s, 64 bytes. Throws KEY_SERVICE_UNAVAILABLE, KEY_SERVICE_REFUSED. */
  sign(data: Buffer): Promise<Buffer>;
}

/** A public signing key that is believed. */
export interface TrustedKey {
  readonly publicKey: KeyObject;
  /** Another key follows it; nothing that is dated later counts. */
  readonly retiredAt?: Date;
}

/** Signing keys by key id; whatever is signed by none of them is refused. */
export type TrustedKeys = ReadonlyMap<string, TrustedKey>;

/** First 32 hex digits of the SHA-256 of the public key's SubjectPublicKeyInfo in DER. */
export function keyIdOf(publicKey: KeyObject): string {
  const spki = publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(spki).digest("hex").slice(0, 32);
}

export function trust(publicKeys: readonly KeyObject[]): TrustedKeys {
  return new Map(publicKeys.map((publicKey) => [keyIdOf(publicKey), { publicKey }]));
}
