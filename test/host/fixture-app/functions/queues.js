import { app } from "@azure/functions";
import { gate, record } from "../record.js";

app.storageQueue("work", {
  queueName: "work",
  connection: "AzureWebJobsStorage",
  handler: async (message, context) => {
    const { dequeueCount, id } = context.triggerMetadata ?? {};
    record("work-started", { message, dequeueCount, id, bytes: Buffer.isBuffer(message) });
    if (message?.gate) await gate(message.gate);
    if (message?.fail) throw new Error("on purpose");
    record("work-finished", { message, dequeueCount });
  },
});
