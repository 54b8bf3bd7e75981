import { app } from "@azure/functions";
import { runQueuedJob } from "../run-queued-job.ts";
import { JOBS_QUEUE, jobsQueue, STORAGE_CONNECTION } from "../queue-names.ts";

app.storageQueue("jobs", {
  queueName: JOBS_QUEUE,
  connection: STORAGE_CONNECTION,
  extraOutputs: [jobsQueue],
  handler: runQueuedJob,
});
