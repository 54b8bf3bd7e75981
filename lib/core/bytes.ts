import { AppError } from "./errors.ts";

const UNITS = { kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 } as const;

/** Bytes of a size such as `500MB`, `200GB` or `1.5TB`, in powers of ten. Throws USAGE. */
export function parseBytes(text: string): number {
  const [, amount = "", unit = ""] = /^(\d+(?:\.\d+)?)(kB|MB|GB|TB)$/.exec(text) ?? [];
  if (unit === "kB" || unit === "MB" || unit === "GB" || unit === "TB") return Math.round(Number(amount) * UNITS[unit]);
  throw new AppError("USAGE", `not a size: found "${text}", expected for instance "500MB", "200GB" or "2TB"`);
}
