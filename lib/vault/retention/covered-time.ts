/*
 * Age is counted in time for which there were backups. Where two fulls lie further apart than their schedule allows, and since the
 * newest where it is that old, nothing is counted: so a clock that jumps by years, and a schedule that stood still, make
 * nothing older.
 */

export type CoveredTime = (durationMs: number) => number;

/**
 * Gives, for a duration, the instant that lies that much covered time before `now`. `times` are those of the fulls, in any order;
 * what claims to be of the future counts as of now. Milliseconds of the epoch.
 */
export function coveredTime(times: readonly number[], now: number, maxGapMs: number): CoveredTime {
  const marks = [...new Set(times.map((time) => Math.min(time, now)))].toSorted((a, b) => b - a);
  return (durationMs) => {
    let later = now;
    let left = durationMs;
    for (const mark of marks) {
      const gap = later - mark;
      const counted = gap <= maxGapMs ? gap : 0;
      if (left <= counted) return later - left;
      left -= counted;
      later = mark;
    }
    return later - left;
  };
}
