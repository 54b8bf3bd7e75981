/** Something that is measured many times, without a peer. */
export interface Measurement {
  id: string;
  /** What is to be reached by 95 of 100 values, in seconds. */
  p95AtMost: number;
  run(): Promise<Distribution>;
}

/** Of seconds. */
export interface Distribution {
  id: string;
  count: number;
  p50: number;
  p90: number;
  p95: number;
  p99: number;
  max: number;
  /** Peak of our process. */
  rssMb: number | undefined;
}

export function distributionOf(id: string, values: readonly number[], rssMb?: number): Distribution {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN;
  return { id, count: sorted.length, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max: at(1), rssMb };
}

export function describeDistribution(found: Distribution, p95AtMost: number): string {
  const shares = (["p50", "p90", "p95", "p99", "max"] as const).map((share) => `${share} ${found[share].toFixed(2)} s`);
  const verdict = found.p95 <= p95AtMost ? "reached" : "MISSED";
  return (
    `${found.id}: ${found.count} transactions, ${shares.join(", ")}; p95 at most ${p95AtMost} s: ${verdict}; ` +
    `peak RSS ${found.rssMb?.toFixed(0) ?? "?"} MB of 400`
  );
}
