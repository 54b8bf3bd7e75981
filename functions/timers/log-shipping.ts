import { app } from "@azure/functions";
import { queueDueJobs } from "../queue-due-jobs.ts";
import { jobsQueue } from "../queue-names.ts";

app.timer("log-shipping", {
  schedule: "0 * * * * *",
  extraOutputs: [jobsQueue],
  handler: (_timer, invocation) => queueDueJobs(["ship"], invocation),
});
