import { describe, expect, test } from "vitest";
import type { RpcBinding } from "../../../../local/host/core-api.ts";
import { describeFunction } from "../../../../local/host/hosted-function.ts";

const SETTINGS = { AzureWebJobsStorage: "main account", Other: "other account", QUEUE: "jobs", AT: "0 0 3 * * *" };

function describeBindings(bindings: Record<string, RpcBinding>, retryOptions?: unknown) {
  const metadata = { name: "f", bindings, retryOptions };
  return describeFunction({ metadata, callback: () => {} }, SETTINGS);
}

const queueTrigger = {
  type: "queueTrigger",
  direction: "in",
  queueName: "jobs",
  connection: "AzureWebJobsStorage",
} as const;

describe("a function's bindings", () => {
  test("name the route and methods of HTTP, with the function's name as the default route", () => {
    const http = { type: "httpTrigger", direction: "in", methods: ["GET"] } as const;
    expect(describeBindings({ request: http }).trigger).toEqual({
      kind: "http",
      binding: "request",
      route: "f",
      methods: ["GET"],
    });
    expect(describeBindings({ request: { ...http, route: "x/{y}" } }).trigger).toMatchObject({ route: "x/{y}" });
  });

  test("name a timer's schedule, resolved from a setting", () => {
    const { trigger } = describeBindings({ t: { type: "timerTrigger", direction: "in", schedule: "%AT%" } });
    expect(trigger).toMatchObject({
      kind: "timer",
      schedule: { text: "0 0 3 * * *" },
      runOnStartup: false,
      useMonitor: true,
    });
  });

  test("name a queue and its account, by the setting's name or its short form", () => {
    const account = (connection: string) =>
      describeBindings({ message: { ...queueTrigger, queueName: "%QUEUE%", connection } }).trigger;
    expect(account("AzureWebJobsStorage")).toMatchObject({ queueName: "jobs", connectionString: "main account" });
    expect(account("Storage")).toMatchObject({ connectionString: "main account" });
    expect(account("")).toMatchObject({ connectionString: "main account" });
    expect(account("Other")).toMatchObject({ connectionString: "other account" });
  });

  test("name queue outputs, and leave the HTTP response alone", () => {
    const bindings: Record<string, RpcBinding> = {
      request: { type: "httpTrigger", direction: "in" },
      $return: { type: "http", direction: "out" },
      toJobs: { type: "queue", direction: "out", queueName: "jobs", connection: "Other" },
    };
    expect(describeBindings(bindings).outputs).toEqual([
      { binding: "toJobs", queueName: "jobs", connectionString: "other account" },
    ]);
  });
});

describe("what the embedded host does not run is refused with a code:", () => {
  const refused = (words: string) =>
    expect.objectContaining({ code: "HOST_APP_INVALID", message: expect.stringContaining(words) });

  test.each<[string, Record<string, RpcBinding>, string]>([
    ["another trigger", { b: { type: "blobTrigger", direction: "in" } }, "blobTrigger"],
    ["another output", { q: queueTrigger, b: { type: "blob", direction: "out" } }, "blob"],
    ["no trigger", {}, "no trigger"],
    ["a queue without a name", { q: { ...queueTrigger, queueName: "" } }, "queueName"],
    ["an unset connection", { q: { ...queueTrigger, connection: "Missing" } }, "Missing"],
    ["an unset setting", { q: { ...queueTrigger, queueName: "%MISSING%" } }, "MISSING"],
    ["a malformed schedule", { t: { type: "timerTrigger", direction: "in", schedule: "@daily" } }, "@daily"],
  ])("%s", (_title, bindings, words) => {
    expect(() => describeBindings(bindings)).toThrow(refused(words));
  });

  test("a retry policy", () => {
    expect(() => describeBindings({ q: queueTrigger }, { maxRetryCount: 3 })).toThrow(refused("retry"));
  });
});
