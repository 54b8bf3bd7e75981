import type { QueueClient, ReceivedMessageItem } from "@azure/storage-queue";
import type { Logger } from "../../lib/core/log.ts";
import type { QueueSettings } from "./host-settings.ts";
import type { HostedFunction, QueueTrigger } from "./hosted-function.ts";
import type { Invoker } from "./invoker.ts";
import { hideMessage } from "./message-lease.ts";
import { pause } from "./pause.ts";
import { decodeMessage, triggerMetadata } from "./queue-message.ts";
import { queueClient, storageStatus } from "./storage-clients.ts";

/*
 * A message that is worked on stays invisible to others. It ends in one of three ways: deleted, after success; visible
 * again after visibilityTimeout; or moved to the poison queue, when it has failed maxDequeueCount times. A host that dies
 * leaves it invisible until its lease ends, and it is delivered again: at least once, never silently lost.
 */

export interface QueueDeps {
  settings: QueueSettings;
  invoker: Invoker;
  logger: Logger;
  /** How long a received message stays invisible unless renewed; renewed at half of it. */
  leaseSeconds: number;
  signal: AbortSignal;
}

const SHORTEST_IDLE_MS = 100;
const POISON_SUFFIX = "-poison";

/** Works on the messages of a queue until the signal aborts; resolves when the last message is done. */
export async function runQueue(hosted: HostedFunction<QueueTrigger>, deps: QueueDeps): Promise<void> {
  const { settings, signal } = deps;
  const queue = queueClient(hosted.trigger.connectionString, hosted.trigger.queueName);
  const running = new Set<Promise<void>>();
  let idleMs = SHORTEST_IDLE_MS;
  while (!signal.aborted) {
    if (running.size > settings.newBatchThreshold) {
      await Promise.race(running);
      continue;
    }
    const messages = await receive(queue, deps);
    for (const message of messages) {
      const work = process(hosted, queue, message, deps).finally(() => running.delete(work));
      running.add(work);
    }
    if (messages.length > 0) {
      idleMs = SHORTEST_IDLE_MS;
    } else {
      await pause(idleMs, signal);
      idleMs = Math.min(idleMs * 2, Math.max(settings.maxPollingIntervalMs, SHORTEST_IDLE_MS));
    }
  }
  await Promise.all(running);
}

async function receive(queue: QueueClient, { settings, leaseSeconds, logger }: QueueDeps) {
  try {
    const { receivedMessageItems } = await queue.receiveMessages({
      numberOfMessages: settings.batchSize,
      visibilityTimeout: leaseSeconds,
    });
    return receivedMessageItems;
  } catch (error: unknown) {
    // A queue that nobody has written to yet does not exist; any other failure may pass, and is polled through.
    if (storageStatus(error) !== 404) logger.warn("queue-unreachable", { queue: queue.name, ...reason(error) });
    return [];
  }
}

async function process(
  hosted: HostedFunction<QueueTrigger>,
  queue: QueueClient,
  message: ReceivedMessageItem,
  deps: QueueDeps,
): Promise<void> {
  const logger = deps.logger.child({ queue: queue.name, message: message.messageId });
  const hidden = hideMessage(queue, message, deps.leaseSeconds, logger);
  const outcome = await attempt(hosted, message, deps);
  const popReceipt = await hidden.stop();
  try {
    if (outcome === "done") await queue.deleteMessage(message.messageId, popReceipt);
    else if (outcome === "hopeless") await moveToPoison(hosted.trigger, queue, message, popReceipt, logger);
    else await queue.updateMessage(message.messageId, popReceipt, undefined, deps.settings.visibilityTimeoutMs / 1000);
  } catch (error: unknown) {
    // The lease ran out, or the storage is away: the message comes back by itself, and is worked on again.
    logger.warn("message-not-settled", { outcome, ...reason(error) });
  }
}

type Outcome = "done" | "failed" | "hopeless";

async function attempt(
  hosted: HostedFunction<QueueTrigger>,
  message: ReceivedMessageItem,
  { settings, invoker, logger }: QueueDeps,
): Promise<Outcome> {
  // More deliveries than allowed: each ended without an answer, so the worker died each time.
  if (message.dequeueCount > settings.maxDequeueCount) return "hopeless";
  let data;
  try {
    data = decodeMessage(message.messageText, settings.messageEncoding);
  } catch (error: unknown) {
    logger.error("message-undecodable", {
      queue: hosted.trigger.queueName,
      message: message.messageId,
      ...reason(error),
    });
    return "hopeless";
  }
  try {
    await invoker.invoke(hosted, { binding: hosted.trigger.binding, data, metadata: triggerMetadata(message, data) });
    return "done";
  } catch {
    // The invoker has logged it.
    return message.dequeueCount >= settings.maxDequeueCount ? "hopeless" : "failed";
  }
}

/** A poison queue has no poison queue of its own: its messages are tried again until they are done or expire. */
async function moveToPoison(
  trigger: QueueTrigger,
  queue: QueueClient,
  message: ReceivedMessageItem,
  popReceipt: string,
  logger: Logger,
): Promise<void> {
  if (trigger.queueName.endsWith(POISON_SUFFIX)) return;
  const poison = queueClient(trigger.connectionString, `${trigger.queueName}${POISON_SUFFIX}`);
  await poison.createIfNotExists();
  await poison.sendMessage(message.messageText);
  await queue.deleteMessage(message.messageId, popReceipt);
  logger.error("message-poisoned", { poisonQueue: poison.name, attempts: message.dequeueCount });
}

function reason(error: unknown): { status: number | undefined; reason: string } {
  return { status: storageStatus(error), reason: error instanceof Error ? error.message : String(error) };
}
