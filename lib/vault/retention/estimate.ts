import type { Prices } from "../../core/retention-policy.ts";
import type { RemovedItem } from "../removal.ts";
import type { RetentionView } from "./view.ts";

const GIB = 1024 ** 3;

/**
 * What the storage of these items costs a month, by the policy's prices: an estimate. Undefined where the storage has no tiers, as
 * a directory.
 */
export function monthlyCost(
  view: RetentionView,
  removals: readonly RemovedItem[],
  prices: Omit<Prices, "currency">,
): number | undefined {
  if (!view.hasTiers) return undefined;
  const fulls = new Map(view.fulls.map((full) => [full.id, full]));
  return removals.reduce((cost, { id, sizeBytes }) => {
    const tiers = [...(fulls.get(id)?.tiers ?? [])];
    const inTiers = tiers.reduce((bytes, [, more]) => bytes + more, 0);
    // Manifests, log and records stay in the hot tier.
    const rest = ((sizeBytes - inTiers) / GIB) * prices.hot;
    return tiers.reduce((sum, [tier, bytes]) => sum + (bytes / GIB) * prices[tier], cost + rest);
  }, 0);
}
