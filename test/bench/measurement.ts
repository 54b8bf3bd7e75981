/** Something that is measured without a peer. */
export interface Measurement {
  id: string;
  run(): Promise<Found>;
}

export interface Found {
  /** By what they measure, with their unit in the name. */
  figures: Record<string, number>;
  /** What has to be reached: at most so much of a figure. */
  atMost: Record<string, number>;
}

/** A row of `--json`. */
export interface MeasuredRow extends Found {
  id: string;
  reached: boolean;
}

/** Most that a process of ours may hold, MB. */
const RSS_MB = 400;

export function measured(id: string, found: Found): MeasuredRow {
  const isReached = ([name, limit]: [string, number]): boolean => (found.figures[name] ?? Number.NaN) <= limit;
  return { id, ...found, reached: Object.entries(found.atMost).every(isReached) };
}

export function describeMeasured({ id, figures, atMost, reached }: MeasuredRow): string {
  const parts = Object.entries(figures).map(([name, value]) => {
    const limit = atMost[name];
    const text = Number.isInteger(value) ? String(value) : value.toFixed(2);
    return `${name} ${text}${limit === undefined ? "" : ` (at most ${limit})`}`;
  });
  return `${id}: ${parts.join(", ")}: ${reached ? "reached" : "MISSED"}`;
}

/** Peaks of processes of ours, under the names that say what they did. */
export function withRss(figures: Record<string, number>, rssMb: Record<string, number>): Found {
  const peaks = Object.entries(rssMb).map(([name, value]) => [`${name}RssMb`, value] as const);
  return {
    figures: { ...figures, ...Object.fromEntries(peaks) },
    atMost: Object.fromEntries(peaks.map(([name]) => [name, RSS_MB])),
  };
}

/** Of seconds. */
export function distributionOf(values: readonly number[], p95AtMost: number, rssMb: number): Found {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN;
  const shares = { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max: at(1) };
  const found = withRss({ count: sorted.length, ...shares }, { ours: rssMb });
  return { ...found, atMost: { p95: p95AtMost, ...found.atMost } };
}
