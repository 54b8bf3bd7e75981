import { z } from "zod";
import type { CitedReceipt } from "./read-receipts.ts";

/*
 * How long something was in which state, from the receipts of the watch. Time that no receipt covers is not observed: it is
 * counted apart and is part of no percentage.
 */

const detailsSchema = z.object({ seen: z.record(z.string(), z.string()) });

/** A stretch of a period: from and until in milliseconds since 1970. */
export interface Observed {
  from: number;
  until: number;
  state: string;
  /** Id of the receipt that says so. */
  receipt: string;
}

/** The stretches of a key (`service`, `vault:primary`) within a period, in order, without overlap. Pure. */
export function observedOf(receipts: readonly CitedReceipt[], key: string, from: Date, to: Date): Observed[] {
  const stretches: Observed[] = [];
  let end = from.getTime();
  const watched = receipts.filter(({ content }) => content.job === "watch");
  for (const { content } of watched.toSorted(
    (a, b) => Date.parse(a.content.startedAt) - Date.parse(b.content.startedAt),
  )) {
    const state = detailsSchema.safeParse(content.details).data?.seen[key];
    // A crash may have left the same stretch twice: it counts once.
    const start = Math.max(end, Date.parse(content.startedAt));
    const until = Math.min(to.getTime(), Date.parse(content.finishedAt));
    if (state === undefined || until <= start) continue;
    stretches.push({ from: start, until, state, receipt: content.id });
    end = until;
  }
  return stretches;
}

/** Everything that was watched under some key, "vault:primary" for instance. */
export function observedKeys(receipts: readonly CitedReceipt[]): string[] {
  const keys = receipts.flatMap(({ content }) =>
    content.job === "watch" ? Object.keys(detailsSchema.safeParse(content.details).data?.seen ?? {}) : [],
  );
  return [...new Set(keys)].toSorted();
}

/** Seconds in each state, and those of the period that nobody observed. */
export function secondsByState(
  stretches: readonly Observed[],
  from: Date,
  to: Date,
): { seconds: Record<string, number>; unobservedSeconds: number } {
  const seconds: Record<string, number> = {};
  let observed = 0;
  for (const { from: start, until, state } of stretches) {
    observed += until - start;
    seconds[state] = (seconds[state] ?? 0) + (until - start) / 1000;
  }
  return { seconds, unobservedSeconds: Math.max(0, (to.getTime() - from.getTime() - observed) / 1000) };
}

/**
 * Seconds in which every one of the keys was in one of these states at the same time, by what was observed of all of them. A
 * source breaks its promise when no vault keeps it.
 */
export function secondsTogether(each: readonly (readonly Observed[])[], states: readonly string[]): number {
  if (each.length === 0) return 0;
  const bad = each.map((stretches) => stretches.filter(({ state }) => states.includes(state)));
  const common = bad.reduce((one, other) => one.flatMap((a) => other.flatMap((b) => overlap(a, b))));
  return common.reduce((sum, { from, until }) => sum + (until - from) / 1000, 0);
}

function overlap(a: Observed, b: Observed): Observed[] {
  const from = Math.max(a.from, b.from);
  const until = Math.min(a.until, b.until);
  return until > from ? [{ ...a, from, until }] : [];
}
