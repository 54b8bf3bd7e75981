/**
 * fresh    every instant older than the RPO can be restored
 * late     still within the RPO, but something will break the promise if nobody acts
 * breached the newest instant that can be restored is older than the RPO, or something was not proven for too long
 * unknown  storage could not be asked, or its answer can't be trusted; never counted as fresh
 */
export type FreshnessState = "fresh" | "late" | "breached" | "unknown";

/** Why a state is what it is; stable, for alert rules. */
export type ReasonCode =
  | "WITHIN_RPO"
  | "FULL_OVERDUE"
  | "LOG_GAP"
  | "VAULT_BEHIND"
  | "SIGNED_IN_GRACE"
  | "BREAK_GLASS_USED"
  | "RPO_EXCEEDED"
  | "UNPROVEN"
  | "NO_BACKUP"
  | "NEWEST_BACKUP_DAMAGED"
  | "VAULT_UNREADABLE"
  | "CATALOGUE_INVALID"
  | "CLOCK_AHEAD";

const SEVERITY: Record<FreshnessState, number> = { fresh: 0, late: 1, unknown: 2, breached: 3 };

/** The state that a group has: that of its worst member; `unknown` when there is no member. */
export function worstState(states: readonly FreshnessState[]): FreshnessState {
  if (states.length === 0) return "unknown";
  return states.reduce((worst, state) => (SEVERITY[state] > SEVERITY[worst] ? state : worst));
}

/** Whether a state may be answered with 200: nothing is breached and nothing is unknown. */
export function isWithinRpo(state: FreshnessState): boolean {
  return state === "fresh" || state === "late";
}
