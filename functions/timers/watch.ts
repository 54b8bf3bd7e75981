import { app } from "@azure/functions";
import { watchSources } from "../../lib/freshness/watch-sources.ts";
import { appContext, invocationLogger } from "../app-context.ts";

app.timer("watch", {
  schedule: "30 * * * * *",
  handler: async (_timer, invocation) => {
    const logger = invocationLogger(invocation);
    const outcomes = await watchSources(await appContext(), logger);
    logger.info("watched", { watched: outcomes.length, alerts: outcomes.filter((outcome) => outcome.alert).length });
  },
});
