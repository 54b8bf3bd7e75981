import type { ErrorCode } from "../core/error-codes.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import type { VaultFreshness } from "./evaluate.ts";
import type { FreshnessState, ReasonCode } from "./states.ts";

/** What the webhook receives when a source's state changes in a vault, or damage was found there. The shape only grows. */
export interface Alert {
  v: 1;
  /** The same for each delivery of one change; a receiver drops what it has seen. */
  id: string;
  at: string;
  environment: string;
  source: string;
  vault: string;
  /** `resolved` when the source is fresh again; the others say what was found in storage, and change no state. */
  event: "late" | "breached" | "unknown" | "resolved" | "damaged" | "healed" | "break-glass";
  before: FreshnessState | null;
  reason: { code: ReasonCode | ErrorCode; message: string };
  restorableUntil: string | null;
  lagSeconds: number | null;
  rpoSeconds: number;
  /** Whatever stands in the vault was proven, or written, at this instant or later. */
  provenSince: string | null;
}

/**
 * The alert for a change from `before` to what was found now, of the state or of the reason for it; undefined when nothing changed
 * that anybody must know.
 */
export function alertFor(
  found: VaultFreshness,
  before: { state: FreshnessState; code?: string | undefined } | undefined,
  where: { environment: string; source: SourcePolicy; now: Date; id: string },
): Alert | undefined {
  const hasOtherReason = before?.code !== undefined && before.code !== found.reason.code;
  if (found.state === before?.state && (found.state === "fresh" || !hasOtherReason)) return undefined;
  if (found.state === "fresh" && before === undefined) return undefined;
  const { vault, reason, restorableUntil, lagSeconds, rpoSeconds, provenSince } = found;
  return {
    v: 1,
    id: where.id,
    at: where.now.toISOString(),
    environment: where.environment,
    source: where.source.name,
    vault,
    event: found.state === "fresh" ? "resolved" : found.state,
    before: before?.state ?? null,
    reason,
    restorableUntil,
    lagSeconds,
    rpoSeconds,
    provenSince,
  };
}
