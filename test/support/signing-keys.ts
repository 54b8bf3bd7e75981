import { generateKeyPairSync } from "node:crypto";
import type { SigningKey } from "../../lib/vault/keys/key.ts";
import { localSigningKey } from "../../lib/vault/keys/local-keys.ts";

/** A signing key that nobody has seen before. */
export function newSigningKey(): SigningKey {
  return localSigningKey(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
}
