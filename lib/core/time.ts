import { AppError } from "./errors.ts";

/** The present instant; injected, so that tests own the time. */
export type Clock = () => Date;

export const systemClock: Clock = () => new Date();

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
type Unit = keyof typeof UNIT_MS;

/** Milliseconds of a duration such as `90s`, `15m`, `1h`, `7d` or `1h30m`. Throws USAGE. */
export function parseDuration(text: string): number {
  if (!/^(?:\d+(?:ms|s|m|h|d))+$/.test(text)) {
    throw new AppError("USAGE", `not a duration: found "${text}", expected for instance "15m", "1h" or "7d"`);
  }
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * UNIT_MS[unit as Unit];
  }
  return totalMs;
}

/** A duration for people: the two largest units, `0 s`, `850 ms`, `9 s`, `1 h 5 min`, `3 d 4 h`. */
export function formatDuration(durationMs: number): string {
  if (durationMs > 0 && durationMs < 999.5) return `${Math.round(durationMs)} ms`;
  const seconds = Math.round(durationMs / 1000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first === -1) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(" ");
}
