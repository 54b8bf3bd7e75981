import { formatDuration } from "../../core/time.ts";
import type { RetentionView } from "./view.ts";

/** Milliseconds of the epoch: of this machine, and of the storage itself. */
export interface Clocks {
  now: number;
  storage: number;
}

const CLOCK_TOLERANCE_MS = 3_600_000;

/** Why nothing at all may be removed now; undefined when there is no doubt. */
export function doubtAbout({ fulls, damaged, damagedHolds }: RetentionView, clocks: Clocks): string | undefined {
  const apartMs = Math.abs(clocks.now - clocks.storage);
  if (apartMs > CLOCK_TOLERANCE_MS) {
    return `the clocks of this machine and of the storage lie ${formatDuration(apartMs)} apart`;
  }
  if (damagedHolds[0] !== undefined) return `the hold record ${damagedHolds[0]} can't be believed`;
  const newest = fulls.toSorted((a, b) => b.time - a.time)[0];
  if (newest === undefined) return "there is no backup that can be believed";
  const newestDamaged = damaged.toSorted((a, b) => b.writtenAt - a.writtenAt)[0];
  if (newestDamaged !== undefined && newestDamaged.writtenAt >= newest.time) {
    return `the newest backup, ${newestDamaged.id}, can't be believed`;
  }
  if (!newest.isProven) return `the newest backup, ${newest.id}, is not proven`;
  return undefined;
}
