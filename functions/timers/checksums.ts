import { app } from "@azure/functions";
import { queueDueJobs } from "../queue-due-jobs.ts";
import { jobsQueue } from "../queue-names.ts";

app.timer("checksums", {
  schedule: "10 * * * * *",
  extraOutputs: [jobsQueue],
  handler: (_timer, invocation) => queueDueJobs(["verify", "copy", "compact"], invocation),
});
