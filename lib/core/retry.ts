import { setTimeout as delay } from "node:timers/promises";
import { AppError } from "./errors.ts";

export interface RetryOptions {
  /** No new attempt starts later than this after the first. */
  deadlineMs: number;
  /** First delay; doubled each time, with jitter, up to `maxDelayMs`. Default 200. */
  minDelayMs?: number;
  /** Default 10,000. */
  maxDelayMs?: number;
  signal?: AbortSignal | undefined;
  /** Told of each failure that will be retried. */
  onRetry?: (error: AppError, attempt: number) => void;
}

/**
 * Runs `attempt` until it succeeds, fails with an error that is not retryable, or the deadline passes.
 * Throws the last error of `attempt`, or the signal's reason.
 */
export async function retry<T>(attempt: (number: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { deadlineMs, minDelayMs = 200, maxDelayMs = 10_000, signal, onRetry } = options;
  const deadline = performance.now() + deadlineMs;
  for (let number = 1; ; number++) {
    signal?.throwIfAborted();
    try {
      return await attempt(number);
    } catch (error: unknown) {
      const delayMs = Math.min(maxDelayMs, minDelayMs * 2 ** (number - 1)) * (0.5 + Math.random() / 2);
      const worthIt = error instanceof AppError && error.retryable && performance.now() + delayMs < deadline;
      if (!worthIt) throw error;
      onRetry?.(error, number);
      await pause(delayMs, signal);
    }
  }
}

async function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(delayMs, undefined, signal ? { signal } : {});
  } catch (error: unknown) {
    // The timer rejects with an AbortError of its own.
    signal?.throwIfAborted();
    throw error;
  }
}
