import { app } from "@azure/functions";
import { queueDueJobs } from "../queue-due-jobs.ts";
import { jobsQueue } from "../queue-names.ts";

app.timer("retention", {
  schedule: "40 * * * * *",
  extraOutputs: [jobsQueue],
  handler: (_timer, invocation) => queueDueJobs(["retention", "heal"], invocation),
});
