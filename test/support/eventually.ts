import { setTimeout as pause } from "node:timers/promises";

export interface EventuallyOptions {
  /** Gives up after this long. Default 10,000. */
  deadlineMs?: number;
  /** Time between two looks. Default 50. */
  everyMs?: number;
  /** What is waited for, for the failure message: "the message to reach the poison queue". */
  describe: string;
}

/**
 * Looks again and again until `check` returns something other than undefined, null or false, and returns that.
 * An assertion that throws inside `check` counts as "not yet". Fails with what it saw last.
 */
export async function eventually<T>(
  check: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  options: EventuallyOptions,
): Promise<T> {
  const { deadlineMs = 10_000, everyMs = 50, describe } = options;
  const giveUpAt = performance.now() + deadlineMs;
  for (;;) {
    let lastSeen: unknown;
    try {
      const seen = await check();
      if (seen !== undefined && seen !== null && seen !== false) return seen;
      lastSeen = seen;
    } catch (error: unknown) {
      lastSeen = error;
    }
    if (performance.now() > giveUpAt) {
      const seen = lastSeen instanceof Error ? lastSeen.message : String(lastSeen);
      throw new Error(`expected ${describe} within ${deadlineMs} ms, last saw: ${seen}`, { cause: lastSeen });
    }
    await pause(everyMs);
  }
}
