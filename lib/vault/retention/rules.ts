import type { SourcePolicy } from "../../core/policy-schema.ts";
import { parseSchedule } from "../../core/schedule.ts";
import { parseDuration } from "../../core/time.ts";
import type { RetentionRules } from "./view.ts";

/** Occurrences that are looked at; more than a month of a schedule that skips weekends. */
const OCCURRENCES = 40;

/** The policy's retention in numbers. Fulls count as regular while no more than one in a row is missing. */
export function retentionRules({ retention, schedule }: SourcePolicy, now: Date): RetentionRules {
  return {
    fullMs: parseDuration(retention.full),
    logMs: parseDuration(retention.log),
    keep: retention.keep,
    minimumProven: retention.minimumProven,
    receiptsMs: parseDuration(retention.receipts),
    orphansMs: parseDuration(retention.orphans),
    maxGapMs: 2 * longestDistance(schedule.full, now),
  };
}

/** Between two occurrences. Infinity for a schedule that has fewer: then all time counts. */
function longestDistance(text: string, now: Date): number {
  const schedule = parseSchedule(text);
  let longest = 0;
  let later = schedule.latest(now);
  for (let count = 0; count < OCCURRENCES && later !== undefined; count++) {
    const earlier = schedule.latest(new Date(later.getTime() - 1000));
    if (earlier !== undefined) longest = Math.max(longest, later.getTime() - earlier.getTime());
    later = earlier;
  }
  return longest === 0 ? Infinity : longest;
}
