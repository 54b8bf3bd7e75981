import type { Progress, ProgressUpdate } from "../lib/core/progress.ts";
import { formatDuration } from "../lib/core/time.ts";
import { formatBytes } from "./table.ts";

const REFRESH_MS = 200;

export interface TerminalProgress extends Disposable {
  report: Progress;
}

/** One line that rewrites itself on a terminal: phase, share done, throughput, time left. Silent when `stream` is no terminal. */
export function terminalProgress(stream: NodeJS.WriteStream): TerminalProgress {
  if (!stream.isTTY) return { report: () => {}, [Symbol.dispose]: () => {} };
  let phase = "";
  let phaseStart = performance.now();
  let phaseStartBytes = 0;
  let shownAt = 0;
  return {
    report(update) {
      const now = performance.now();
      if (update.phase !== phase) [phase, phaseStart, phaseStartBytes] = [update.phase, now, update.doneBytes];
      else if (now - shownAt < REFRESH_MS) return;
      shownAt = now;
      stream.write(
        `\r\x1b[2K${describeProgress(update, update.doneBytes - phaseStartBytes, now - phaseStart).slice(0, stream.columns)}`,
      );
    },
    [Symbol.dispose]() {
      if (shownAt > 0) stream.write("\r\x1b[2K");
    },
  };
}

/** The text of a progress line; `bytes` came in `elapsedMs`. */
export function describeProgress(update: ProgressUpdate, bytes: number, elapsedMs: number): string {
  const parts = [update.phase];
  const { doneBytes, totalBytes } = update;
  const perMs = elapsedMs > 0 ? bytes / elapsedMs : 0;
  if (totalBytes) parts.push(`${Math.min(100, Math.floor((doneBytes / totalBytes) * 100))} %`);
  parts.push(totalBytes ? `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}` : formatBytes(doneBytes));
  if (perMs > 0) parts.push(`${formatBytes(perMs * 1000)}/s`);
  if (perMs > 0 && totalBytes && totalBytes > doneBytes)
    parts.push(`${formatDuration((totalBytes - doneBytes) / perMs)} left`);
  return parts.join("  ");
}
