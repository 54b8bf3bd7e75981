import { app } from "@azure/functions";
import { parseJobMessage } from "../../lib/jobs/message.ts";
import { runJob } from "../../lib/jobs/run-job.ts";
import { runDrill } from "../../lib/restore/drill.ts";
import { appContext, invocationLogger } from "../app-context.ts";
import { JOBS_QUEUE, STORAGE_CONNECTION } from "../queue-names.ts";

app.storageQueue("jobs", {
  queueName: JOBS_QUEUE,
  connection: STORAGE_CONNECTION,
  handler: async (message, invocation) => {
    const logger = invocationLogger(invocation);
    const attempt = Number(invocation.triggerMetadata?.["dequeueCount"] ?? 1);
    const outcome = await runJob(parseJobMessage(message), { drill: runDrill }, await appContext(), { attempt, logger });
    logger.info("job-ended", { ...outcome });
  },
});
