import type { SourcePolicy } from "../core/policy-schema.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { evaluateVault, type VaultFreshness } from "./evaluate.ts";
import { worstState, type FreshnessState } from "./states.ts";
import { viewVault } from "./vault-view.ts";

export interface SourceFreshness {
  source: string;
  kind: string;
  /** That of its worst vault: a promise counts for each of them. */
  state: FreshnessState;
  vaults: VaultFreshness[];
}

/** The freshness of one source in all its vaults, from what storage holds now. */
export async function readFreshness(context: Context, source: SourcePolicy): Promise<SourceFreshness> {
  const vaults = await Promise.all(
    vaultsOf(context, source).map(async (vault) => {
      const view = await viewVault(context, vault, source);
      return evaluateVault(view, source, context.clock());
    }),
  );
  return { source: source.name, kind: source.kind, state: worstState(vaults.map(({ state }) => state)), vaults };
}
