/** An interval in which every instant can be restored. A full backup without a log after it is one instant long. */
export interface RecoveryWindow {
  /** ISO 8601, UTC, as precise as the source's clock told it. */
  from: string;
  until: string;
  /** The full backup that a restore into this window starts from. */
  backup: string;
}

/** The recovery windows of a list of restorable backups, oldest first. */
export function recoveryWindows(backups: readonly { id: string; consistentAt: string }[]): RecoveryWindow[] {
  return backups
    .map(({ id, consistentAt }) => ({ from: consistentAt, until: consistentAt, backup: id }))
    .toSorted((a, b) => (a.from < b.from ? -1 : 1));
}
