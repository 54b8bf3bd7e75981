import { reportError, toAppError, type ErrorReport } from "../core/errors.ts";
import { findSource } from "../core/policy.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import { readRetentionView } from "../sources/retention-view.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { holdsOf } from "../vault/holds-of.ts";
import { monthlyCost } from "../vault/retention/estimate.ts";
import { planRetention, type RetentionPlan } from "../vault/retention/plan.ts";
import { retentionRules } from "../vault/retention/rules.ts";
import type { Vault } from "../vault/vault.ts";

/** What retention would remove from one vault now, and what that would save. */
export interface VaultRetention extends RetentionPlan {
  source: string;
  vault: string;
  /** Of what goes. */
  bytes: number;
  /** What it costs a month, by the policy's prices: an estimate. Null where the storage has no tiers to price. */
  savedPerMonth: { amount: number; currency: string } | null;
}

export interface UnreadableVault {
  source: string;
  vault: string;
  error: ErrorReport;
}

/** Plans for every vault of the wanted sources; one that can't be read has its error instead. Throws SOURCE_UNKNOWN. */
export async function planRetentions(
  context: Context,
  sourceName?: string,
  signal?: AbortSignal,
): Promise<(VaultRetention | UnreadableVault)[]> {
  const { policy } = context;
  const sources = sourceName === undefined ? policy.sources : [findSource(policy, sourceName)];
  const planned: (VaultRetention | UnreadableVault)[] = [];
  for (const source of sources) {
    for (const vault of vaultsOf(context, source)) {
      try {
        planned.push(await planVault(context, source, vault, signal));
      } catch (error: unknown) {
        if (toAppError(error).kind !== "storage") throw error;
        planned.push({ source: source.name, vault: vault.name, error: reportError(error) });
      }
    }
  }
  return planned;
}

/** Reads a vault and plans for it. Throws what the storage throws; a hold in any vault of the source counts in all of them. */
export async function planVault(
  context: Context,
  source: SourcePolicy,
  vault: Vault,
  signal?: AbortSignal,
): Promise<VaultRetention> {
  const now = context.clock();
  const storageNow = await vault.storage.now();
  const rules = retentionRules(source, now);
  const view = await readRetentionView({
    vault,
    source: source.name,
    kind: source.kind,
    trusted: await context.trustedKeys(),
    now,
    holds: await holdsOf(context, source, new Date(Math.min(now.getTime(), storageNow.getTime()))),
    receiptsBefore: new Date(now.getTime() - rules.receiptsMs),
    ...(signal && { signal }),
  });
  const plan = planRetention(view, rules, { now: now.getTime(), storage: storageNow.getTime() });
  const { currency, ...prices } = context.policy.prices;
  const amount = monthlyCost(view, plan.removals, prices);
  return {
    source: source.name,
    vault: vault.name,
    ...plan,
    bytes: plan.removals.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0),
    savedPerMonth: amount === undefined ? null : { amount, currency },
  };
}
