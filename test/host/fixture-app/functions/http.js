import { app, output } from "@azure/functions";
import { gate, record } from "../record.js";

app.http("echo", {
  route: "echo/{id:int}/{rest?}",
  methods: ["GET", "POST"],
  handler: async (request, context) => {
    context.info("echoed", { id: request.params.id });
    return {
      status: 201,
      headers: { "x-fixture": "yes" },
      cookies: [{ name: "seen", value: "a b", path: "/", httpOnly: true, maxAge: 60, sameSite: "Lax" }],
      jsonBody: {
        params: request.params,
        query: Object.fromEntries(request.query),
        method: request.method,
        header: request.headers.get("x-sent"),
        body: await request.text(),
      },
    };
  },
});

app.http("bytes", {
  methods: ["POST"],
  handler: async (request) => ({ body: new Uint8Array(await request.arrayBuffer()) }),
});
app.http("literal", { route: "items/special", handler: () => ({ body: "literal" }) });
app.http("constrained", { route: "items/{id:int}", handler: () => ({ body: "constrained" }) });
app.http("parameter", { route: "items/{id}", handler: () => ({ body: "parameter" }) });
app.http("rest", { route: "items/{*path}", handler: (request) => ({ body: `rest ${request.params.path}` }) });
app.http("nothing", { methods: ["GET"], handler: () => {} });
app.http("throws", {
  methods: ["GET"],
  handler: () => {
    throw new Error("on purpose");
  },
});
app.http("slow-answer", {
  methods: ["GET"],
  handler: async () => {
    record("slow-answer-started");
    await gate("slow-answer");
    return { body: "answered" };
  },
});

const toWork = output.storageQueue({ queueName: "work", connection: "AzureWebJobsStorage" });
const toWorkAgain = output.storageQueue({ queueName: "work", connection: "Storage" });

app.http("enqueue", {
  methods: ["POST"],
  extraOutputs: [toWork],
  return: undefined,
  handler: async (request, context) => {
    context.extraOutputs.set(toWork, await request.json());
    return { status: 202 };
  },
});

app.storageQueue("forward", {
  queueName: "forward",
  connection: "AzureWebJobsStorage",
  return: toWorkAgain,
  handler: (message) => message,
});
