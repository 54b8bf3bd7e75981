import { AppError } from "../lib/core/errors.ts";

/** ISO 8601 of what an option says: a time with its zone, or a day (UTC). Throws USAGE that names the option. */
export function parseInstant(text: string, option: string): string {
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text);
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/.test(text);
  const at = isDay || isTime ? new Date(text) : new Date(Number.NaN);
  // Date takes 31 February for 3 March.
  const isReal = !Number.isNaN(at.getTime()) && (!isDay || at.toISOString().startsWith(text));
  if (isReal) return at.toISOString();
  throw new AppError("USAGE", `${option}: found "${text}", expected 2026-11-01 or 2026-11-01T03:00:00Z`);
}
