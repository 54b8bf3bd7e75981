import type { BlockBlobClient, ContainerClient } from "@azure/storage-blob";
import type { Logger } from "../../lib/core/log.ts";
import type { Schedule } from "../../lib/core/schedule.ts";
import type { Clock } from "../../lib/core/time.ts";
import type { RpcTypedData } from "./core-api.ts";
import type { HostedFunction, TimerTrigger } from "./hosted-function.ts";
import type { Invoker } from "./invoker.ts";
import { whileLeased } from "./lease.ts";
import { pause, pauseUntil } from "./pause.ts";
import { readStatus, resumeStatus, type TimerStatus, toStoredStatus, writeStatus } from "./timer-status.ts";

/*
 * One run of a timer at a time, on one host at a time. The next run is computed from the start of the last one: a run that
 * overran its next slot is followed by one run at once, and the other slots it missed are dropped. The status is written
 * after the run, so a host that dies during it leaves a run past due.
 */

export interface TimerDeps {
  container: ContainerClient;
  /** Names this app among those that share the storage account. */
  hostId: string;
  invoker: Invoker;
  logger: Logger;
  clock: Clock;
  leaseSeconds: number;
  signal: AbortSignal;
}

const RETRY_MS = 5000;
const SHORTEST_MONITORED_MS = 60_000;
/** The last instant that a Date can hold; for a schedule without a next occurrence. */
const NEVER = new Date(8.64e15);

/** Runs a timer function on its schedule until the signal aborts; resolves when its last run has ended. */
export async function runTimer(hosted: HostedFunction<TimerTrigger>, deps: TimerDeps): Promise<void> {
  const logger = deps.logger.child({ timer: hosted.name });
  const lock = deps.container.getBlockBlobClient(`locks/${deps.hostId}/Host.Functions.${hosted.name}.Listener`);
  const { leaseSeconds, signal } = deps;
  await whileLeased(lock, { leaseSeconds, logger, signal }, async (held) => {
    try {
      await follow(hosted, deps, held);
    } catch (error: unknown) {
      // Only the status blob can have failed. The lease is given up, and whoever gets it starts from what is stored.
      logger.warn("timer-status-unreachable", { reason: error instanceof Error ? error.message : String(error) });
      await pause(RETRY_MS, held);
    }
  });
}

async function follow(hosted: HostedFunction<TimerTrigger>, deps: TimerDeps, held: AbortSignal): Promise<void> {
  const { schedule, runOnStartup } = hosted.trigger;
  const monitor = monitorOf(hosted, deps);
  const resumed = resumeStatus(monitor && (await readStatus(monitor)), schedule, deps.clock());
  let status = resumed.status;
  if (monitor) await writeStatus(monitor, status);
  let isPastDue = resumed.isPastDue;
  let due = isPastDue || runOnStartup ? deps.clock() : status.next;
  for (;;) {
    await pauseUntil(due ?? NEVER, held);
    if (held.aborted) return;
    const startedAt = deps.clock();
    await fire(hosted, deps, { status: monitor && status, isPastDue });
    status = { last: startedAt, next: schedule.next(startedAt), lastUpdated: startedAt };
    if (monitor) await writeStatus(monitor, status);
    isPastDue = false;
    due = status.next;
  }
}

/** The status blob; undefined for timers that the Functions host does not monitor. */
function monitorOf({ name, trigger }: HostedFunction<TimerTrigger>, deps: TimerDeps): BlockBlobClient | undefined {
  if (!trigger.useMonitor || firesWithinAMinute(trigger.schedule, deps.clock())) return undefined;
  return deps.container.getBlockBlobClient(`timers/${deps.hostId}/Host.Functions.${name}/status`);
}

function firesWithinAMinute(schedule: Schedule, now: Date): boolean {
  let previous = schedule.next(now);
  for (let count = 0; count < 10 && previous; count++) {
    const next = schedule.next(previous);
    if (next && next.getTime() - previous.getTime() < SHORTEST_MONITORED_MS) return true;
    previous = next;
  }
  return false;
}

async function fire(hosted: HostedFunction<TimerTrigger>, deps: TimerDeps, run: TimerRun): Promise<void> {
  try {
    await deps.invoker.invoke(hosted, { binding: hosted.trigger.binding, data: toTimerData(run) });
  } catch {
    // The invoker has logged it; a failed run waits for the next slot, as on Azure.
  }
}

export interface TimerRun {
  status: TimerStatus | undefined;
  isPastDue: boolean;
}

/** What a timer function is called with. */
export function toTimerData({ status, isPastDue }: TimerRun): RpcTypedData {
  return {
    json: JSON.stringify({
      Schedule: { AdjustForDST: true },
      ScheduleStatus: status ? toStoredStatus(status) : null,
      IsPastDue: isPastDue,
    }),
  };
}
