import { createPublicKey, type KeyObject } from "node:crypto";
import { z } from "zod";
import { toAppError } from "../core/errors.ts";
import { openEnvelope } from "./envelope.ts";
import { keyIdOf, trust, type TrustedKeys } from "./keys/key.ts";
import { keyName, KEYS_PREFIX } from "./names.ts";
import { readWhole } from "./record.ts";
import type { Vault } from "./vault.ts";

const MAX_KEY_RECORD_BYTES = 64 * 1024;
const recordSchema = z.object({ payload: z.string() });
const keySchema = z.object({ keyId: z.string(), use: z.string(), publicKey: z.string() });

/**
 * The signing keys that a vault itself names. Whoever could write into the vault could have put them there, so what they verify
 * is whole, and nothing says who wrote it: never to be shown as the trust that a key from the safe gives.
 */
export async function readPublishedSigningKeys(vault: Vault): Promise<KeyObject[]> {
  const found: { key: KeyObject; bytes: Buffer; name: string }[] = [];
  for await (const { name } of vault.storage.data.list(KEYS_PREFIX)) {
    const bytes = await readWhole(vault, name, MAX_KEY_RECORD_BYTES).catch(ignoreDamage);
    const key = bytes && readSigningKey(bytes, name);
    if (key) found.push({ key, bytes, name });
  }
  const all = trust(found.map(({ key }) => key));
  return found.filter(({ bytes, name }) => isSigned(bytes, name, all)).map(({ key }) => key);
}

/** The key in a record that nobody has verified yet; undefined for a record of something else. */
function readSigningKey(bytes: Buffer, name: string): KeyObject | undefined {
  try {
    const { payload } = recordSchema.parse(JSON.parse(bytes.toString("utf8")));
    const content = keySchema.parse(JSON.parse(Buffer.from(payload, "base64url").toString("utf8")));
    const key = createPublicKey(content.publicKey);
    const isIt = content.use === "sign" && name === keyName(keyIdOf(key));
    return isIt && key.asymmetricKeyDetails?.namedCurve === "prime256v1" ? key : undefined;
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
