import type { BlobLeaseClient, BlockBlobClient } from "@azure/storage-blob";
import type { Logger } from "../../lib/core/log.ts";
import { pause } from "./pause.ts";
import { storageStatus } from "./storage-clients.ts";

/*
 * Of several hosts on one storage account, one holds the lease on a timer's lock blob and runs the timer; the others ask
 * again until it is free. States: waiting → holding → (lost → waiting | stopped). A holder that can't renew counts the
 * lease as lost when it may have expired, so that two hosts never both believe they hold it.
 */

export interface LeaseOptions {
  /** 15 to 60, by the rules of the blob service. */
  leaseSeconds: number;
  logger: Logger;
  signal: AbortSignal;
}

/** Runs `work` each time the lease is held, with a signal that aborts when it is lost; returns when `signal` aborts. */
export async function whileLeased(
  blob: BlockBlobClient,
  options: LeaseOptions,
  work: (held: AbortSignal) => Promise<void>,
): Promise<void> {
  const { leaseSeconds, signal } = options;
  const retryMs = (leaseSeconds * 1000) / 3;
  while (!signal.aborted) {
    const lease = await acquire(blob, options);
    if (lease) await workAndRenew(lease, retryMs, options, work);
    else await pause(retryMs, signal);
  }
}

async function workAndRenew(
  lease: BlobLeaseClient,
  renewMs: number,
  options: LeaseOptions,
  work: (held: AbortSignal) => Promise<void>,
): Promise<void> {
  const lost = new AbortController();
  const finished = new AbortController();
  const worker = work(AbortSignal.any([options.signal, lost.signal])).finally(() => finished.abort());
  await renewUntil(finished.signal, lease, renewMs, options);
  lost.abort();
  await worker;
  // It may be somebody else's by now, and expires by itself in any case.
  await lease.releaseLease().catch(() => {});
}

/** Returns undefined while somebody else holds the lease, or when the storage does not answer. */
async function acquire(blob: BlockBlobClient, options: LeaseOptions): Promise<BlobLeaseClient | undefined> {
  const lease = blob.getBlobLeaseClient();
  try {
    await blob.upload("", 0, { conditions: { ifNoneMatch: "*" } }).catch(unlessExists);
    await lease.acquireLease(options.leaseSeconds);
    return lease;
  } catch (error: unknown) {
    const status = storageStatus(error);
    if (status !== 409) options.logger.warn("timer-lock-unreachable", { blob: blob.name, status });
    return undefined;
  }
}

function unlessExists(error: unknown): void {
  // 409: it exists; 412: it exists and is leased.
  const status = storageStatus(error);
  if (status !== 409 && status !== 412) throw error;
}

/** Renews until the work is done, or until the lease is, or may be, somebody else's. */
async function renewUntil(
  done: AbortSignal,
  lease: BlobLeaseClient,
  renewMs: number,
  { leaseSeconds, logger }: LeaseOptions,
): Promise<void> {
  let renewedAt = performance.now();
  for (;;) {
    await pause(renewMs, done);
    if (done.aborted) return;
    const askedAt = performance.now();
    try {
      await lease.renewLease({ abortSignal: AbortSignal.timeout(renewMs) });
      renewedAt = askedAt;
    } catch (error: unknown) {
      const status = storageStatus(error);
      logger.warn("timer-lock-not-renewed", { status });
      const refused = status === 404 || status === 409 || status === 412;
      if (refused || performance.now() + renewMs > renewedAt + leaseSeconds * 1000) return;
    }
  }
}
