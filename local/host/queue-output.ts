import type { RpcInvocationResponse, RpcTypedData } from "./core-api.ts";
import type { HostedFunction } from "./hosted-function.ts";
import { encodeMessage } from "./queue-message.ts";
import { toQueueMessages } from "./rpc-data.ts";
import { queueClient } from "./storage-clients.ts";

const RETURN_BINDING = "$return";

/** Sends what a function put into its queue outputs; a queue that does not exist is made. */
export async function writeQueueOutputs(
  hosted: HostedFunction<unknown>,
  response: RpcInvocationResponse,
  encoding: "base64" | "none",
): Promise<void> {
  for (const output of hosted.outputs) {
    const messages = toQueueMessages(valueOf(output.binding, response));
    if (messages.length === 0) continue;
    const queue = queueClient(output.connectionString, output.queueName);
    await queue.createIfNotExists();
    for (const message of messages) await queue.sendMessage(encodeMessage(message, encoding));
  }
}

function valueOf(binding: string, response: RpcInvocationResponse): RpcTypedData | null | undefined {
  if (binding === RETURN_BINDING) return response.returnValue;
  return response.outputData?.find(({ name }) => name === binding)?.data;
}
