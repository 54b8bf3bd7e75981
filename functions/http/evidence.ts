import { app } from "@azure/functions";
import { evidenceAnswer } from "../../lib/evidence/answer.ts";
import { appContext, invocationLogger } from "../app-context.ts";

app.http("evidence", {
  route: "evidence",
  methods: ["GET"],
  authLevel: "function",
  handler: async (request, invocation) => {
    const { from, to } = Object.fromEntries(request.query);
    const { status, body } = await evidenceAnswer(appContext, { from, to });
    invocationLogger(invocation).info("evidence-answered", { status });
    return { status, jsonBody: body, headers: { "cache-control": "no-store" } };
  },
});
