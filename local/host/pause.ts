import { setTimeout as delay } from "node:timers/promises";

/** setTimeout takes no more than 2^31 - 1 ms; a host that slept through a change of the clock looks at it again soon. */
const LONGEST_MS = 60_000;

/** Resolves after `durationMs`, or as soon as `signal` aborts. */
export async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  // The signal is the expected end of a wait, not a failure.
  await delay(durationMs, undefined, { signal }).catch(() => {});
}

/** Resolves at `instant`, or as soon as `signal` aborts. Never before `instant`. */
export async function pauseUntil(instant: Date, signal: AbortSignal): Promise<void> {
  for (;;) {
    const leftMs = instant.getTime() - Date.now();
    if (leftMs <= 0 || signal.aborted) return;
    await pause(Math.min(leftMs, LONGEST_MS), signal);
  }
}
