import { deepCheck } from "../../lib/sources/deep-check.ts";
import type { DecryptionKey } from "../../lib/vault/keys/key.ts";
import type { Vault } from "../../lib/vault/vault.ts";
import { type VerifyOptions, verifySource } from "../../lib/vault/verify.ts";
import type { VerifyReport } from "../../lib/vault/verify-report.ts";
import { SOURCE, testKeys } from "./vault-fixture.ts";

const { trusted } = testKeys();

export type VerifyTestOptions = Partial<Omit<VerifyOptions, "deep">> & { deep?: readonly DecryptionKey[] };

/** Verifies vaults of the test source. */
export async function verifyAll(vaults: readonly Vault[], { deep, ...more }: VerifyTestOptions = {}) {
  const now = new Date("2026-11-24T05:00:00Z");
  const checked = deep && { deep: deepCheck(deep, undefined) };
  return verifySource({ vaults, source: SOURCE, trusted, now, ...checked, ...more });
}

/** Verifies one vault and returns what was found. */
export async function verifyOne(vault: Vault, more: VerifyTestOptions = {}): Promise<VerifyReport> {
  return (await verifyAll([vault], more)).report;
}
