import { reportError, toAppError } from "../core/errors.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import { parseDuration } from "../core/time.ts";
import { listDamage, type DamageRecord } from "../vault/damage.ts";
import { idStart } from "../vault/names.ts";
import type { TrustedKeys } from "../vault/keys/key.ts";
import type { Vault } from "../vault/vault.ts";
import type { Alert } from "./alert.ts";
import type { WatchContext, WatchOutcome } from "./watch.ts";

/*
 * What was found bad or healed in a vault is told once, from the signed statements in that vault: `watch-damage/{source}/{vault}` in
 * its state names the last statement that was told. It moves on after the delivery, so a crash repeats an alert (same id).
 */

/** How far back a watch looks that remembers nothing. */
const FIRST_LOOK_MS = 86_400_000;

/** Tells what was found bad or healed in one vault since the last look. A vault that does not answer is told of as unknown elsewhere. */
export async function watchDamage(
  vault: Vault,
  source: SourcePolicy,
  trusted: TrustedKeys,
  watch: WatchContext,
): Promise<WatchOutcome> {
  const outcome: WatchOutcome = { source: source.name, vault: vault.name };
  const { state } = vault.storage;
  const key = `watch-damage/${source.name}/${vault.name}`;
  try {
    const told = await state.get(key);
    const after = told?.value.toString("utf8") ?? idStart(new Date(watch.clock().getTime() - FIRST_LOOK_MS));
    const news = await listDamage({ vault, source: source.name, trusted }, after);
    const last = news.at(-1);
    if (last === undefined) return outcome;
    const alert = alertOf(news, last, vault, source, watch);
    if (alert) {
      watch.logger.warn("vault-damage", { ...alert });
      await watch.deliver?.(alert);
    }
    await state.put(key, Buffer.from(last.id), told ? { etag: told.etag } : "absent");
    return { ...outcome, ...(alert && { alert }) };
  } catch (error: unknown) {
    const { kind, code } = toAppError(error);
    if (kind !== "storage" && code !== "WEBHOOK_FAILED") throw error;
    watch.logger.error("damage-untold", { ...outcome, ...reportError(error) });
    return { ...outcome, undelivered: reportError(error) };
  }
}

function alertOf(
  news: readonly DamageRecord[],
  last: DamageRecord,
  vault: Vault,
  source: SourcePolicy,
  { environment, clock }: WatchContext,
): Alert | undefined {
  const [bad, healed] = ["bad", "healed"].map((wanted) => news.filter(({ state }) => state === wanted));
  const first = bad?.[0] ?? healed?.[0];
  if (!bad || !healed || !first) return undefined;
  const counts = `${bad.length} blobs are bad and could not be healed, ${healed.length} were healed`;
  return {
    v: 1,
    id: `${last.id}-${vault.name}`,
    at: clock().toISOString(),
    environment,
    source: source.name,
    vault: vault.name,
    event: bad.length > 0 ? "damaged" : "healed",
    before: null,
    reason: { code: first.reason.code, message: `${counts}; first: ${first.blob}: ${first.reason.message}` },
    restorableUntil: null,
    lagSeconds: null,
    rpoSeconds: parseDuration(source.rpo) / 1000,
    provenSince: null,
  };
}
