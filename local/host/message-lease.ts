import type { QueueClient, ReceivedMessageItem } from "@azure/storage-queue";
import type { Logger } from "../../lib/core/log.ts";
import { pause } from "./pause.ts";
import { storageStatus } from "./storage-clients.ts";

/** Keeps a received message invisible while it is worked on. */
export interface HiddenMessage {
  /** Ends the renewing and returns the receipt with which the message can be deleted or released. */
  stop(): Promise<string>;
}

/** Renews the message's invisibility at half of `leaseSeconds`, until stopped or until the message is somebody else's. */
export function hideMessage(
  queue: QueueClient,
  message: ReceivedMessageItem,
  leaseSeconds: number,
  logger: Logger,
): HiddenMessage {
  const stopped = new AbortController();
  let popReceipt = message.popReceipt;

  async function renew(): Promise<void> {
    for (;;) {
      await pause((leaseSeconds * 1000) / 2, stopped.signal);
      if (stopped.signal.aborted) return;
      try {
        const renewed = await queue.updateMessage(message.messageId, popReceipt, undefined, leaseSeconds);
        popReceipt = renewed.popReceipt ?? popReceipt;
      } catch (error: unknown) {
        const status = storageStatus(error);
        logger.warn("message-not-renewed", { status });
        // 400: the receipt is stale; 404: the message is gone. In both cases somebody else had it.
        if (status === 400 || status === 404) return;
      }
    }
  }

  const renewing = renew();
  return {
    async stop() {
      stopped.abort();
      await renewing;
      return popReceipt;
    },
  };
}
