import { AppError, reportError, toAppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { Policy, SourcePolicy } from "../core/policy-schema.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { prepareVaults } from "../vault/prepare-vaults.ts";
import type { Alert } from "./alert.ts";
import type { VaultFreshness } from "./evaluate.ts";
import { observe } from "./observe.ts";
import { readFreshness } from "./read-freshness.ts";
import { watchBreakGlass } from "./watch-break-glass.ts";
import { watchDamage } from "./watch-damage.ts";
import { watchVault, type WatchContext, type WatchOutcome } from "./watch.ts";
import { postAlert } from "./webhook.ts";

/** Looks at every source in every vault and tells what changed since the last look. Throws what no vault could keep. */
export async function watchSources(context: Context, logger: Logger): Promise<WatchOutcome[]> {
  const { clock, policy } = context;
  await prepareVaults(context.vaults.values(), logger);
  const watch: WatchContext = { environment: policy.environment, deliver: delivery(context, policy), logger, clock };
  const outcomes: WatchOutcome[] = [];
  for (const source of policy.sources) {
    const { vaults } = await readFreshness(context, source);
    for (const found of vaults) outcomes.push(await watchInAnyVault(context, source, found, watch));
    const trusted = await context.trustedKeys();
    for (const vault of vaultsOf(context, source)) outcomes.push(await watchDamage(vault, source, trusted, watch));
    await observe(context, source, vaults, logger);
  }
  for (const vault of context.vaults.values()) outcomes.push(...(await watchBreakGlass(vault, policy.sources, watch)));
  return outcomes;
}

/**
 * What was told last is kept with a vault that answers, the judged one first: when the primary is down, which is when
 * the alert matters, the offsite's state serves.
 */
async function watchInAnyVault(
  context: Context,
  source: SourcePolicy,
  found: VaultFreshness,
  watch: WatchContext,
): Promise<WatchOutcome> {
  const vaults = vaultsOf(context, source);
  const stores = vaults.toSorted((a, b) => Number(b.name === found.vault) - Number(a.name === found.vault));
  let failure: unknown;
  for (const { name, storage } of stores) {
    try {
      return await watchVault(found, source, storage.state, watch);
    } catch (error: unknown) {
      if (toAppError(error).kind !== "storage") throw error;
      watch.logger.warn("watch-state-unavailable", { source: source.name, vault: name, ...reportError(error) });
      failure = error;
    }
  }
  throw new AppError("STORAGE_UNAVAILABLE", `${source.name}: no vault could keep what was told last`, {
    cause: failure,
  });
}

function delivery(context: Context, { alerts }: Policy): ((alert: Alert) => Promise<number>) | undefined {
  const { webhook } = alerts;
  if (!webhook) return undefined;
  return async (alert) => {
    const url = await context.resolve(webhook.url, "alerts.webhook.url");
    const secret = await context.resolve(webhook.secret, "alerts.webhook.secret");
    return postAlert(alert, { url, secret }, context.clock);
  };
}
