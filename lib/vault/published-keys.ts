import { createPublicKey, type KeyObject } from "node:crypto";
import { z } from "zod";
import { toAppError } from "../core/errors.ts";
import { openEnvelope } from "./envelope.ts";
import { keyIdOf, trust, type TrustedKeys } from "./keys/key.ts";
import { keyName, KEYS_PREFIX } from "./names.ts";
import { readWhole } from "./record.ts";
import type { Vault } from "./vault.ts";

/*
 * The public keys that lie in a vault. Whoever can write there can put one of his own beside them, and a backup that is sealed for
 * it would be his. So one is used in two cases only: where somebody knows its id, which is a hash of it; and where a signing
 * key that is believed has signed it.
 */

const MAX_KEY_RECORD_BYTES = 64 * 1024;
const recordSchema = z.object({ payload: z.string() });
const keySchema = z.object({
  keyId: z.string(),
  use: z.string(),
  publicKey: z.string(),
  publishedAt: z.iso.datetime(),
  keyVaultKey: z.string().optional(),
});

/** A public key as a vault has it; only its id is known to be right. */
interface FoundKey {
  keyId: string;
  publicKey: KeyObject;
  use: string;
  publishedAt: string;
  keyVaultKey: string | undefined;
  /** Whether a key of these has signed it. */
  isSignedBy: (trusted: TrustedKeys) => boolean;
}

/** The public key with that id; undefined where the vault has none. Throws what the storage throws. */
export async function readPublishedKey(vault: Vault, keyId: string): Promise<FoundKey | undefined> {
  const name = keyName(keyId);
  return (await vault.storage.data.stat(name)) && readKey(vault, name);
}

/** Every public key in a vault whose record is one. Throws what the storage throws. */
export async function listPublishedKeys(vault: Vault): Promise<FoundKey[]> {
  const found: FoundKey[] = [];
  for await (const { name } of vault.storage.data.list(KEYS_PREFIX)) {
    const key = await readKey(vault, name);
    if (key) found.push(key);
  }
  return found;
}

/**
 * The signing keys that a vault itself names. Whoever could write into the vault could have put them there, so what they verify
 * is whole, and nothing says who wrote it: never to be shown as the trust that a key from the safe gives.
 */
export async function readPublishedSigningKeys(vault: Vault): Promise<KeyObject[]> {
  const found = (await listPublishedKeys(vault)).filter(({ use, publicKey }) => use === "sign" && isP256(publicKey));
  const all = trust(found.map(({ publicKey }) => publicKey));
  return found.filter(({ isSignedBy }) => isSignedBy(all)).map(({ publicKey }) => publicKey);
}

function isP256({ asymmetricKeyDetails }: KeyObject): boolean {
  return asymmetricKeyDetails?.namedCurve === "prime256v1";
}

async function readKey(vault: Vault, name: string): Promise<FoundKey | undefined> {
  const bytes = await readWhole(vault, name, MAX_KEY_RECORD_BYTES).catch(ignoreDamage);
  const content = bytes && parseKey(bytes);
  if (!bytes || !content || name !== keyName(keyIdOf(content.publicKey))) return undefined;
  return { ...content, isSignedBy: (trusted) => isSigned(bytes, name, trusted) };
}

function parseKey(bytes: Buffer): Omit<FoundKey, "isSignedBy"> | undefined {
  try {
    const { payload } = recordSchema.parse(JSON.parse(bytes.toString("utf8")));
    const content = keySchema.parse(JSON.parse(Buffer.from(payload, "base64url").toString("utf8")));
    const { use, publishedAt, keyVaultKey } = content;
    const publicKey = createPublicKey(content.publicKey);
    return { keyId: keyIdOf(publicKey), publicKey, use, publishedAt, keyVaultKey };
  } catch {
    return undefined;
  }
}

function isSigned(bytes: Buffer, name: string, trusted: TrustedKeys): boolean {
  try {
    openEnvelope(bytes, "resguardo-key", trusted, name);
    return true;
  } catch (error: unknown) {
    if (toAppError(error).kind !== "verify") throw error;
    return false;
  }
}

function ignoreDamage(error: unknown): undefined {
  if (toAppError(error).kind !== "verify") throw error;
}
