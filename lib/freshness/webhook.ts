import { createHmac } from "node:crypto";
import { AppError } from "../core/errors.ts";
import { retry } from "../core/retry.ts";
import type { Clock } from "../core/time.ts";
import type { Alert } from "./alert.ts";

export interface WebhookTarget {
  url: string;
  /** Shared secret of the signature. */
  secret: string;
}

const ATTEMPT_TIMEOUT_MS = 10_000;
const DELIVERY_DEADLINE_MS = 25_000;

/**
 * Signature of a delivery: hex HMAC-SHA256 over `timestamp + "." + body`, so that an old delivery can't be replayed
 * unseen by a receiver that looks at the timestamp.
 */
function signDelivery(secret: string, timestamp: string, body: string): string {
  return createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex");
}

/** Posts one alert; retried while the receiver is down or busy. Throws WEBHOOK_FAILED. Returns the attempts it took. */
export async function postAlert(
  alert: Alert,
  target: WebhookTarget,
  clock: Clock,
  signal?: AbortSignal,
): Promise<number> {
  const body = JSON.stringify(alert);
  return retry(
    async (attempt) => {
      const status = await postOnce(target, body, clock().toISOString());
      if (status >= 200 && status < 300) return attempt;
      throw new AppError("WEBHOOK_FAILED", `alert webhook: found HTTP status ${status}, expected 2xx`, {
        hint: "Look at the receiver's log; the alert is kept and sent again by the next watch.",
        retryable: status === 429 || status >= 500,
      });
    },
    { deadlineMs: DELIVERY_DEADLINE_MS, signal },
  );
}

async function postOnce(target: WebhookTarget, body: string, timestamp: string): Promise<number> {
  const headers = {
    "content-type": "application/json",
    "x-resguardo-timestamp": timestamp,
    "x-resguardo-signature": `sha256=${signDelivery(target.secret, timestamp, body)}`,
  };
  try {
    const signal = AbortSignal.timeout(ATTEMPT_TIMEOUT_MS);
    const response = await fetch(target.url, { method: "POST", headers, body, signal, redirect: "error" });
    await response.body?.cancel();
    return response.status;
  } catch (error: unknown) {
    throw new AppError("WEBHOOK_FAILED", "alert webhook: no answer", {
      hint: "Check that the receiver runs and can be reached from here.",
      cause: error,
    });
  }
}
