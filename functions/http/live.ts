import { app } from "@azure/functions";
import { thisTool } from "../../lib/core/tool.ts";

app.http("live", {
  route: "live",
  methods: ["GET"],
  authLevel: "anonymous",
  handler: () => ({ jsonBody: { live: true, tool: thisTool(process.env) } }),
});
