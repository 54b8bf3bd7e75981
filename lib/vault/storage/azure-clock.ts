import type { ContainerClient } from "@azure/storage-blob";
import { AppError } from "../../core/errors.ts";
import { type AzureTuning, call } from "./azure-call.ts";

/** The service puts its time into every answer. */
export async function serviceClock(label: string, container: ContainerClient, tuning: AzureTuning): Promise<Date> {
  const request = { label, action: "ask for the time" };
  const { date } = await call(request, tuning, (abortSignal) => container.getProperties({ abortSignal }));
  if (date !== undefined) return date;
  throw new AppError("STORAGE_UNAVAILABLE", `vault ${label}: the storage's answer has no date`);
}

const ASK_AGAIN_MS = 3_600_000;

/**
 * The service's time, asked for once an hour: this machine's clock may be years ahead, and what it made immutable until then could
 * not be undone.
 */
export function rememberedClock(ask: () => Promise<Date>): () => Promise<Date> {
  let known: { time: number; at: number } | undefined;
  return async () => {
    if (known === undefined || performance.now() - known.at > ASK_AGAIN_MS) {
      known = { time: (await ask()).getTime(), at: performance.now() };
    }
    return new Date(known.time + performance.now() - known.at);
  };
}
