import type { KeyObject } from "node:crypto";
import { toAppError } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";
import { signEnvelope } from "./envelope.ts";
import type { SessionSigner } from "./keys/session-key.ts";
import { keyName } from "./names.ts";
import type { Vault } from "./vault.ts";

/** A public key that records in a vault refer to by its id. */
export interface PublishedKey {
  keyId: string;
  publicKey: KeyObject;
  use: "vault" | "break-glass" | "sign";
  /** Of a key in Key Vault, its URL with the version. */
  keyVaultKey?: string;
}

/** What each storage is known to hold, so that a record a minute does not ask again each time. */
const known = new WeakMap<Vault["storage"], Set<string>>();

/** Writes the signer's and the given public keys into the vault, as signed records, where they are not there yet. */
export async function publishKeys(
  vault: Vault,
  keys: readonly PublishedKey[],
  signer: SessionSigner,
  clock: Clock,
): Promise<void> {
  const there = known.get(vault.storage) ?? new Set();
  known.set(vault.storage, there);
  for (const key of [{ ...signer.signingKey, use: "sign" as const }, ...keys]) {
    if (there.has(key.keyId)) continue;
    if (!(await vault.storage.data.stat(keyName(key.keyId)))) await publishKey(vault, key, signer, clock);
    there.add(key.keyId);
  }
}

async function publishKey(vault: Vault, key: PublishedKey, signer: SessionSigner, clock: Clock): Promise<void> {
  const content = {
    format: "resguardo-key",
    version: 1,
    keyId: key.keyId,
    use: key.use,
    publicKey: key.publicKey.export({ type: "spki", format: "pem" }),
    publishedAt: clock().toISOString(),
    ...(key.keyVaultKey !== undefined && { keyVaultKey: key.keyVaultKey }),
  };
  try {
    await vault.storage.data.create(keyName(key.keyId), await signEnvelope("resguardo-key", content, signer, clock));
  } catch (error: unknown) {
    // Another process published the same key at the same moment.
    if (toAppError(error).code !== "BLOB_EXISTS") throw error;
  }
}
