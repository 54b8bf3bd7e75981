import { toAppError } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";

/**
 * What `open` gave, for some time; then what it gives anew, the old object where that is the same. While a key service does not
 * answer the old one is kept. A failure is not kept.
 */
export function keptFor<T>(
  maxAgeMs: number,
  clock: Clock,
  open: () => Promise<T>,
  isSame: (a: T, b: T) => boolean,
): () => Promise<T> {
  let kept: { value: T; openedAt: number } | undefined;
  let opening: Promise<T> | undefined;
  return async () => {
    const now = clock().getTime();
    if (kept && now >= kept.openedAt && now - kept.openedAt < maxAgeMs) return kept.value;
    opening ??= open().finally(() => {
      opening = undefined;
    });
    try {
      const value = await opening;
      kept = { value: kept && isSame(kept.value, value) ? kept.value : value, openedAt: now };
    } catch (error: unknown) {
      if (!kept || toAppError(error).code !== "KEY_SERVICE_UNAVAILABLE") throw error;
    }
    return kept.value;
  };
}
