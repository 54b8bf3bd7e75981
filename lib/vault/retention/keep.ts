import type { FullFact, RetentionRules } from "./view.ts";

type Period = keyof RetentionRules["keep"];

/**
 * The fulls that stand for the last days, weeks, months and years: of each period that has one, the newest, a proven one where
 * there is any. Periods without a backup don't count, so that no clock makes one fall out. Returns why, by id.
 */
export function keptForPeriods(fulls: readonly FullFact[], keep: RetentionRules["keep"]): Map<string, string[]> {
  const kept = new Map<string, string[]>();
  const newestFirst = fulls.toSorted((a, b) => b.time - a.time);
  for (const period of ["daily", "weekly", "monthly", "yearly"] as const) {
    const chosen = new Map<string, FullFact>();
    for (const full of newestFirst) {
      const name = nameOfPeriod(period, new Date(full.time));
      const known = chosen.get(name);
      if (known === undefined && chosen.size === keep[period]) break;
      if (known === undefined || (!known.isProven && full.isProven)) chosen.set(name, full);
    }
    for (const [name, { id }] of chosen) kept.set(id, [...(kept.get(id) ?? []), `${period}: ${name}`]);
  }
  return kept;
}

/** UTC; weeks are those of ISO 8601, from Monday on. */
function nameOfPeriod(period: Period, time: Date): string {
  const day = time.toISOString().slice(0, 10);
  if (period === "daily") return day;
  if (period === "monthly") return day.slice(0, 7);
  if (period === "yearly") return day.slice(0, 4);
  const monday = new Date(`${day}T00:00:00Z`);
  monday.setUTCDate(monday.getUTCDate() - ((monday.getUTCDay() + 6) % 7));
  return `week of ${monday.toISOString().slice(0, 10)}`;
}
