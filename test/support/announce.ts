import type { Vault } from "../../lib/vault/vault.ts";
import { recordRemoval, type Removal, type RemovalToRecord } from "../../lib/vault/removal.ts";
import { SOURCE, testKeys, tickingClock, TOOL } from "./vault-fixture.ts";

/** Writes a removal record of the source of the fixtures into one vault, and removes nothing. */
export async function announce(
  vault: Vault,
  items: Removal["items"],
  overrides: Partial<RemovalToRecord> = {},
): Promise<Removal> {
  const clock = overrides.clock ?? tickingClock();
  const { signer } = testKeys(clock);
  const written = await recordRemoval({
    vaults: [vault],
    source: SOURCE,
    reason: "retention",
    environment: "test",
    tool: TOOL,
    policyHash: "0".repeat(64),
    signer,
    clock,
    items,
    ...overrides,
  });
  return written.record;
}
