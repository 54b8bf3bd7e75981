import { app } from "@azure/functions";
import { keepPoisonMessage } from "../../lib/jobs/poison.ts";
import { appContext, invocationLogger } from "../app-context.ts";
import { JOBS_QUEUE, STORAGE_CONNECTION } from "../queue-names.ts";

app.storageQueue("jobs-poison", {
  queueName: `${JOBS_QUEUE}-poison`,
  connection: STORAGE_CONNECTION,
  handler: async (message, invocation) => {
    const kept = await keepPoisonMessage(await appContext(), message, invocation.invocationId);
    invocationLogger(invocation).error("message-poisoned", { ...kept });
  },
});
