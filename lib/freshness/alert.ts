import type { SourcePolicy } from "../core/policy-schema.ts";
import type { VaultFreshness } from "./evaluate.ts";
import type { FreshnessState, ReasonCode } from "./states.ts";

/** What the webhook receives when a source's state changes in a vault. The shape only grows. */
export interface Alert {
  v: 1;
  /** The same for each delivery of one change; a receiver drops what it has seen. */
  id: string;
  at: string;
  environment: string;
  source: string;
  vault: string;
  /** `resolved` when the source is fresh again. */
  event: "late" | "breached" | "unknown" | "resolved";
  before: FreshnessState | null;
  reason: { code: ReasonCode; message: string };
  restorableUntil: string | null;
  lagSeconds: number | null;
  rpoSeconds: number;
}

/** The alert for a change from `before` to what was found now; undefined when nothing changed that anybody must know. */
export function alertFor(
  found: VaultFreshness,
  before: FreshnessState | undefined,
  where: { environment: string; source: SourcePolicy; now: Date; id: string },
): Alert | undefined {
  if (found.state === before) return undefined;
  if (found.state === "fresh" && before === undefined) return undefined;
  const { vault, reason, restorableUntil, lagSeconds, rpoSeconds } = found;
  return {
    v: 1,
    id: where.id,
    at: where.now.toISOString(),
    environment: where.environment,
    source: where.source.name,
    vault,
    event: found.state === "fresh" ? "resolved" : found.state,
    before: before ?? null,
    reason,
    restorableUntil,
    lagSeconds,
    rpoSeconds,
  };
}
