/** What a set of measured times comes to; null where there are none. */
export interface Distribution {
  n: number;
  meanSeconds: number | null;
  p50Seconds: number | null;
  p90Seconds: number | null;
  maxSeconds: number | null;
}

/** Percentiles by the nearest rank: each of them is a time that was really measured. Pure. */
export function distributionOf(seconds: readonly number[]): Distribution {
  const sorted = seconds.toSorted((a, b) => a - b);
  const n = sorted.length;
  const rank = (share: number) => sorted[Math.ceil(share * n) - 1] ?? null;
  return {
    n,
    meanSeconds: n === 0 ? null : sorted.reduce((sum, value) => sum + value, 0) / n,
    p50Seconds: rank(0.5),
    p90Seconds: rank(0.9),
    maxSeconds: rank(1),
  };
}
