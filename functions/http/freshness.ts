import { app } from "@azure/functions";
import { freshnessAnswer } from "../../lib/freshness/answer.ts";
import { appContext, invocationLogger } from "../app-context.ts";

app.http("freshness", {
  route: "freshness/{source?}",
  methods: ["GET"],
  authLevel: "anonymous",
  handler: async (request, invocation) => {
    const { status, body } = await freshnessAnswer(appContext, request.params["source"]);
    invocationLogger(invocation).info("freshness-answered", { status });
    return { status, jsonBody: body, headers: { "cache-control": "no-store" } };
  },
});
