import { generateKeyPairSync } from "node:crypto";
import { keyIdOf } from "../../lib/vault/keys/key.ts";
import { localDecryptionKey } from "../../lib/vault/keys/local-keys.ts";
import { VaultOutcomes } from "../../lib/vault/outcome.ts";
import { rotateFulls } from "../../lib/vault/rotate-fulls.ts";
import { rotateLog } from "../../lib/vault/rotate-log.ts";
import type { Rotation } from "../../lib/vault/rotation.ts";
import type { Vault } from "../../lib/vault/vault.ts";
import { SOURCE, testKeys, tickingClock, TOOL } from "./vault-fixture.ts";

/** A vault key that nobody has seen before. */
export function newVaultKey() {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 3072 });
  return { encryption: { keyId: keyIdOf(publicKey), publicKey }, decryption: localDecryptionKey(privateKey) };
}

/** Rotates everything in these vaults to the vault key of `next`, opening it with the golden one unless told otherwise. */
export async function rotate(
  vaults: readonly Vault[],
  next: Pick<ReturnType<typeof newVaultKey>, "encryption">,
  changes: Partial<Rotation> = {},
) {
  const clock = tickingClock("2026-12-01T00:00:00Z");
  const { recipients, signer, trusted, decryption } = testKeys(clock);
  const outcomes = new VaultOutcomes(vaults);
  const rotation: Rotation = {
    source: SOURCE,
    runId: "20261201T000000000Z-00000001",
    environment: "test",
    policyHash: "0".repeat(64),
    tool: TOOL,
    trusted,
    keys: [decryption],
    recipients: { ...recipients, vault: next.encryption },
    signer,
    clock,
    vaults: outcomes,
    signal: new AbortController().signal,
    onDone: () => {},
    ...changes,
  };
  const fulls = await rotateFulls(rotation);
  const log = await rotateLog(rotation, fulls.ids);
  return { fulls, log, behind: outcomes.report().filter(({ state }) => state === "behind") };
}
