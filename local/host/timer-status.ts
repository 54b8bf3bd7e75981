import type { BlockBlobClient } from "@azure/storage-blob";
import { z } from "zod";
import type { Schedule } from "../../lib/core/schedule.ts";
import { storageStatus } from "./storage-clients.ts";

/** What the Functions host keeps of a timer, so that a run missed while no host was up is made up for. */
export interface TimerStatus {
  /** Start of the last run; undefined before the first. */
  readonly last: Date | undefined;
  /** Undefined when the schedule has no further occurrence. */
  readonly next: Date | undefined;
  readonly lastUpdated: Date;
}

/** What .NET writes for "never". */
const NEVER = "0001-01-01T00:00:00";

const instant = z.string().transform((text) => (text.startsWith("0001-") ? undefined : new Date(text)));
const storedStatus = z.object({ Last: instant, Next: instant, LastUpdated: instant });

/** The status in the form in which the Functions host stores it and hands it to the function. */
export function toStoredStatus(status: TimerStatus): { Last: string; Next: string; LastUpdated: string } {
  return {
    Last: status.last?.toISOString() ?? NEVER,
    Next: status.next?.toISOString() ?? NEVER,
    LastUpdated: status.lastUpdated.toISOString(),
  };
}

/** Undefined when there is none yet. */
export async function readStatus(blob: BlockBlobClient): Promise<TimerStatus | undefined> {
  try {
    const text = (await blob.downloadToBuffer()).toString();
    const { Last, Next, LastUpdated } = storedStatus.parse(JSON.parse(text));
    return { last: Last, next: Next, lastUpdated: LastUpdated ?? new Date(0) };
  } catch (error: unknown) {
    if (storageStatus(error) === 404) return undefined;
    throw error;
  }
}

export async function writeStatus(blob: BlockBlobClient, status: TimerStatus): Promise<void> {
  const text = JSON.stringify(toStoredStatus(status));
  await blob.upload(text, Buffer.byteLength(text), { blobHTTPHeaders: { blobContentType: "application/json" } });
}

/**
 * What the stored status means for a schedule that may have changed since: the status to go on with, and whether an
 * occurrence was missed. A new schedule starts afresh, so that its past occurrences are not made up for.
 */
export function resumeStatus(
  stored: TimerStatus | undefined,
  schedule: Schedule,
  now: Date,
): { status: TimerStatus; isPastDue: boolean } {
  if (!stored) return { status: { last: undefined, next: schedule.next(now), lastUpdated: now }, isPastDue: false };
  const expected = schedule.next(stored.last ?? stored.lastUpdated);
  if (expected?.getTime() === stored.next?.getTime()) {
    return { status: stored, isPastDue: stored.next !== undefined && now > stored.next };
  }
  const next = expected && now > expected ? schedule.next(now) : expected;
  return { status: { last: undefined, next, lastUpdated: now }, isPastDue: false };
}
