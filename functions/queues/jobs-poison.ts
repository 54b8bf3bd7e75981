import { app } from "@azure/functions";
import { invocationLogger } from "../app-context.ts";
import { JOBS_QUEUE, STORAGE_CONNECTION } from "../queue-names.ts";
import { keepMessage } from "../run-queued-job.ts";

app.storageQueue("jobs-poison", {
  queueName: `${JOBS_QUEUE}-poison`,
  connection: STORAGE_CONNECTION,
  handler: (message, invocation) => keepMessage(message, invocation, invocationLogger(invocation)),
});
