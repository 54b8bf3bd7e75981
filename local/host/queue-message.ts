import type { ReceivedMessageItem } from "@azure/storage-queue";
import { AppError } from "../../lib/core/errors.ts";
import type { RpcTypedData } from "./core-api.ts";
import { toRpcValue } from "./rpc-data.ts";

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The message's content: text, or bytes where it is not UTF-8. Throws MESSAGE_INVALID when it is not base64 and should be. */
export function decodeMessage(text: string, encoding: "base64" | "none"): RpcTypedData {
  if (encoding === "none") return { string: text };
  if (!BASE64.test(text)) {
    throw new AppError("MESSAGE_INVALID", "a queue message is not base64, as messageEncoding in host.json demands", {
      hint: 'Encode the message, or set "messageEncoding": "none".',
    });
  }
  const bytes = Buffer.from(text, "base64");
  try {
    return { string: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    // Not text: the function gets the bytes.
    return { bytes };
  }
}

/** A message as it is stored in the queue. */
export function encodeMessage(content: Uint8Array, encoding: "base64" | "none"): string {
  return Buffer.from(content).toString(encoding === "base64" ? "base64" : "utf8");
}

/**
 * The trigger metadata of a message. As on Azure, the top-level fields of a JSON object hide those of the message itself:
 * a field named `id` or `dequeueCount` takes the place of the real one.
 */
export function triggerMetadata(message: ReceivedMessageItem, data: RpcTypedData): Record<string, RpcTypedData> {
  const own: Record<string, unknown> = {
    QueueTrigger: data.string ?? Buffer.from(data.bytes ?? []).toString("base64"),
    Id: message.messageId,
    PopReceipt: message.popReceipt,
    DequeueCount: message.dequeueCount,
    InsertionTime: message.insertedOn,
    ExpirationTime: message.expiresOn,
    NextVisibleTime: message.nextVisibleOn,
  };
  const byName = new Map<string, [string, RpcTypedData]>();
  for (const [name, value] of [...Object.entries(own), ...Object.entries(fieldsOf(data))]) {
    byName.set(name.toLowerCase(), [name, toRpcValue(value)]);
  }
  return Object.fromEntries(byName.values());
}

function fieldsOf(data: RpcTypedData): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(data.string ?? "");
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    // Plain text has no fields.
    return {};
  }
}
