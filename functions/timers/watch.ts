import { app } from "@azure/functions";
import { parseSettings } from "../../lib/core/settings.ts";
import { watchSources } from "../../lib/freshness/watch-sources.ts";
import { appContext, invocationLogger } from "../app-context.ts";

app.timer("watch", {
  schedule: "30 * * * * *",
  handler: async (_timer, invocation) => {
    // The app that backs up watches; another one would tell everything twice.
    if (parseSettings(process.env).RESGUARDO_ROLE === "keeper") return;
    const logger = invocationLogger(invocation);
    const outcomes = await watchSources(await appContext(), logger);
    logger.info("watched", { watched: outcomes.length, alerts: outcomes.filter((outcome) => outcome.alert).length });
  },
});
