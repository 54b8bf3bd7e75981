import { randomUUID } from "node:crypto";
import { z } from "zod";
import { AppError, toAppError } from "../core/errors.ts";
import { retry } from "../core/retry.ts";
import type { Clock } from "../core/time.ts";
import type { StateStore } from "../vault/storage/storage.ts";

/*
 * A lease says who works on (source, job). One record under compare-and-set:
 *   absent -> held (owner, expiresAt) -> renewed every quarter of its time -> absent
 * A holder that can't renew in time stops its work before the lease ends for the others. A record that has
 * expired belongs to a worker that died; whoever takes it over learns which run that was.
 */

const leaseRecord = z.object({
  owner: z.string(),
  runId: z.string(),
  attempt: z.int(),
  startedAt: z.string(),
  expiresAt: z.string(),
});
export type LeaseRecord = z.output<typeof leaseRecord>;

export interface LeaseOptions {
  state: StateStore;
  /** For instance `leases/shop/backup`. */
  key: string;
  runId: string;
  /** How often this work was tried, from 1. */
  attempt: number;
  clock: Clock;
  /** Default 60,000 ms. */
  durationMs?: number;
}

export interface Lease extends AsyncDisposable {
  /** Aborts, with LEASE_LOST, when the lease can't be held any longer. */
  readonly signal: AbortSignal;
  /** The run of a worker that died holding this lease. */
  readonly interrupted: LeaseRecord | undefined;
}

/** Takes the lease, or throws LEASE_HELD. Dispose it to give it back. */
export async function acquireLease(options: LeaseOptions): Promise<Lease> {
  const { state, key, clock, durationMs = 60_000 } = options;
  const existing = await state.get(key);
  const previous = existing && parseLease(existing.value);
  if (previous && Date.parse(previous.expiresAt) > clock().getTime()) {
    throw new AppError("LEASE_HELD", `${key}: run ${previous.runId} holds it until ${previous.expiresAt}`, {
      hint: "The same work is running elsewhere; wait for it, or for the time shown if its worker died.",
    });
  }
  const record = (): LeaseRecord => ({
    ...identity,
    expiresAt: new Date(clock().getTime() + durationMs).toISOString(),
  });
  const identity = {
    owner: randomUUID(),
    runId: options.runId,
    attempt: options.attempt,
    startedAt: clock().toISOString(),
  };
  const etag = await state.put(key, encode(record()), existing ? { etag: existing.etag } : "absent").catch(asHeld(key));
  return keepLease(options, durationMs, record, etag, previous);
}

/** Takes the lease as soon as its holder gives it back. Throws LEASE_HELD when that takes longer than 40 seconds. */
export async function waitForLease(options: LeaseOptions): Promise<Lease> {
  return retry(() => acquireLease(options), { deadlineMs: 40_000, minDelayMs: 500, maxDelayMs: 1000 });
}

function keepLease(
  { state, key }: LeaseOptions,
  durationMs: number,
  record: () => LeaseRecord,
  firstEtag: string,
  interrupted: LeaseRecord | undefined,
): Lease {
  const controller = new AbortController();
  let etag = firstEtag;
  let renewedAt = performance.now();
  let renewal: Promise<void> | undefined;
  const renew = async () => {
    try {
      etag = await state.put(key, encode(record()), { etag });
      renewedAt = performance.now();
    } catch (error: unknown) {
      const { code, retryable } = toAppError(error);
      if (code === "STATE_CONFLICT" || !retryable) controller.abort(lostLease(key, error));
    }
  };
  const tick = async () => {
    // A storage that hangs is as good as a refusal: the time is measured here, not by the pending call.
    if (performance.now() - renewedAt > durationMs * 0.7) controller.abort(lostLease(key, undefined));
    if (controller.signal.aborted || renewal) return;
    renewal = renew();
    await renewal;
    renewal = undefined;
  };
  const timer = setInterval(() => void tick(), durationMs / 4);
  return {
    signal: controller.signal,
    interrupted,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      // A renewal that hangs is not waited for: the lease is lost then, and ends by itself.
      if (controller.signal.aborted) return;
      await renewal;
      // What can't be given back now ends by itself at its time; the work that was done under it is not undone by that.
      await state.remove(key, etag).catch(ignoreStorageError);
    },
  };
}

/** Undefined when the record is not a lease: state can be rebuilt, so a damaged record is taken over and not obeyed. */
function parseLease(value: Buffer): LeaseRecord | undefined {
  try {
    return leaseRecord.safeParse(JSON.parse(value.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}

function encode(record: LeaseRecord): Buffer {
  return Buffer.from(JSON.stringify(record));
}

function asHeld(key: string): (error: unknown) => never {
  return (error) => {
    if (toAppError(error).code !== "STATE_CONFLICT") throw error;
    throw new AppError("LEASE_HELD", `${key}: another worker took it at the same moment`, { cause: error });
  };
}

function ignoreStorageError(error: unknown): void {
  if (toAppError(error).kind !== "storage") throw error;
}

function lostLease(key: string, cause: unknown): AppError {
  return new AppError("LEASE_LOST", `${key}: the lease could not be renewed`, {
    hint: "The run stopped itself so that two never work on one source; the next one starts from the catalogue.",
    cause,
  });
}
