import { app } from "@azure/functions";
import { queueDueJobs } from "../queue-due-jobs.ts";
import { jobsQueue } from "../queue-names.ts";

app.timer("restore-tests", {
  schedule: "20 * * * * *",
  extraOutputs: [jobsQueue],
  handler: (_timer, invocation) => queueDueJobs(["drill"], invocation),
});
