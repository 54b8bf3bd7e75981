import { AppError, reportError, toAppError, type ErrorReport } from "../core/errors.ts";
import type { Context } from "../vault/context.ts";
import { parseJobMessage } from "./message.ts";

export interface KeptMessage {
  vault: string;
  /** Where the message lies in the vault's state. */
  key: string;
  /** What is wrong with the message itself; absent where it is well-formed and its job failed each time. */
  error?: ErrorReport;
}

/**
 * Keeps a message that the queue gave up, so that nothing is lost when it is taken off the poison queue, and says why.
 * Throws STORAGE_UNAVAILABLE when no vault takes it: then it stays on the queue.
 */
export async function keepPoisonMessage(context: Context, message: unknown, id: string): Promise<KeptMessage> {
  const error = problemOf(message);
  const document = { at: context.clock().toISOString(), message, ...(error && { error }) };
  const key = `poison/jobs/${id}`;
  let failure: unknown;
  for (const { name, storage } of context.vaults.values()) {
    try {
      await storage.state.put(key, Buffer.from(JSON.stringify(document)), "absent");
      return { vault: name, key, ...(error && { error }) };
    } catch (putError: unknown) {
      const { code, kind } = toAppError(putError);
      if (code === "STATE_CONFLICT") return { vault: name, key, ...(error && { error }) };
      if (kind !== "storage") throw putError;
      failure = putError;
    }
  }
  throw new AppError("STORAGE_UNAVAILABLE", "no vault could keep a message of the poison queue", { cause: failure });
}

function problemOf(message: unknown): ErrorReport | undefined {
  try {
    parseJobMessage(message);
    return undefined;
  } catch (error: unknown) {
    return reportError(error);
  }
}
