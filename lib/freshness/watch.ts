import { z } from "zod";
import { reportError, toAppError, type ErrorReport } from "../core/errors.ts";
import { newId } from "../core/ids.ts";
import type { Logger } from "../core/log.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import type { Clock } from "../core/time.ts";
import type { StateRecord, StateStore } from "../vault/storage/storage.ts";
import { alertFor, type Alert } from "./alert.ts";
import type { VaultFreshness } from "./evaluate.ts";

/*
 * What was last told of (source, vault) lies in `watch/{source}/{vault}`:
 *   state changed -> record {state, pending: alert} -> delivered -> record {state, last: alert + delivery}
 * The record is written before the delivery, so a crash repeats an alert (same id) and never loses one.
 */

const watchRecord = z.object({
  state: z.enum(["fresh", "late", "breached", "unknown"]),
  /** The reason's, as it was told. */
  code: z.string().optional(),
  since: z.string(),
  pending: z.custom<Alert>().optional(),
  last: z.object({ id: z.string(), deliveredAt: z.string(), attempts: z.int() }).optional(),
});
type WatchRecord = z.output<typeof watchRecord>;

export interface WatchContext {
  environment: string;
  /** Delivers an alert and returns the attempts it took; undefined where the policy names no webhook. */
  deliver: ((alert: Alert) => Promise<number>) | undefined;
  logger: Logger;
  clock: Clock;
}

export interface WatchOutcome {
  source: string;
  vault: string;
  alert?: Alert;
  /** An alert that could not be delivered yet; the next watch tries again. */
  undelivered?: ErrorReport;
}

/**
 * Compares what was found with what was told last, and tells the change. `store` is the state of a vault that answers.
 * Throws STATE_CONFLICT when another watch was faster, and what the store throws.
 */
export async function watchVault(
  found: VaultFreshness,
  source: SourcePolicy,
  store: StateStore,
  context: WatchContext,
): Promise<WatchOutcome> {
  const key = `watch/${source.name}/${found.vault}`;
  const stored = await store.get(key);
  const before = parseRecord(stored);
  const now = context.clock();
  const changed = alertFor(found, before, { environment: context.environment, source, now, id: newId(now) });
  const pending = changed ?? before?.pending;
  const outcome: WatchOutcome = { source: source.name, vault: found.vault };
  const { code } = found.reason;
  if (!pending && before?.state === found.state && before.code === code) return outcome;

  const since = before?.state === found.state ? before.since : now.toISOString();
  const record: WatchRecord = { state: found.state, code, since, pending, last: before?.last };
  const etag = await store.put(key, encode(record), stored ? { etag: stored.etag } : "absent");
  if (!pending) return outcome;
  if (changed) context.logger.warn("freshness-changed", { ...changed });

  const delivery = await deliver(pending, context);
  if ("error" in delivery) return { ...outcome, alert: pending, undelivered: delivery.error };
  const last = { id: pending.id, deliveredAt: context.clock().toISOString(), attempts: delivery.attempts };
  await store.put(key, encode({ state: found.state, code, since, last }), { etag });
  return { ...outcome, alert: pending };
}

async function deliver(alert: Alert, context: WatchContext): Promise<{ attempts: number } | { error: ErrorReport }> {
  if (!context.deliver) return { attempts: 0 };
  try {
    const attempts = await context.deliver(alert);
    context.logger.info("alert-delivered", { alert: alert.id, attempts });
    return { attempts };
  } catch (error: unknown) {
    if (toAppError(error).code !== "WEBHOOK_FAILED") throw error;
    context.logger.error("alert-undelivered", { alert: alert.id, ...reportError(error) });
    return { error: reportError(error) };
  }
}

/** A damaged record is as none: an alert too many is better than one too few. */
function parseRecord(stored: StateRecord | undefined): WatchRecord | undefined {
  if (!stored) return undefined;
  try {
    return watchRecord.safeParse(JSON.parse(stored.value.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}

function encode(record: WatchRecord): Buffer {
  return Buffer.from(JSON.stringify(record));
}
