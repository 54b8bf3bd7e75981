import { QueueServiceClient } from "@azure/storage-queue";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startTestAzurite, type TestAzurite } from "../support/azurite.ts";
import { eventually } from "../support/eventually.ts";
import { type FixtureFolder, type FixtureHost, fixtureFolder, startFixtureHost } from "../support/host.ts";

let azurite: TestAzurite;
let folder: FixtureFolder;
let host: FixtureHost | undefined;

beforeAll(async () => {
  azurite = await startTestAzurite();
});

afterAll(() => azurite?.stop());

beforeEach(async () => {
  folder = await fixtureFolder();
});

afterEach(async () => {
  await host?.kill();
  host = undefined;
  await folder[Symbol.asyncDispose]();
});

async function start(app?: string, env: Record<string, string> = {}): Promise<FixtureHost> {
  const { connectionString } = azurite;
  host = await startFixtureHost({ connectionString, folder, env, ...(app && { app }) });
  return host;
}

async function recorded(event: string) {
  await eventually(async () => (await folder.records(event)).length > 0, { describe: `a record of ${event}` });
}

describe("a stop", () => {
  test("finishes the message and the request under way, runs the terminate hooks, and exits with 0", async () => {
    const running = await start();
    const queue = QueueServiceClient.fromConnectionString(azurite.connectionString).getQueueClient("work");
    await queue.createIfNotExists();
    await queue.sendMessage(Buffer.from('{"gate":"stop"}').toString("base64"));
    const answer = fetch(`${running.url}/api/slow-answer`);
    await Promise.all([recorded("work-started"), recorded("slow-answer-started")]);

    const stopped = running.stop();
    await eventually(() => running.lines.some((line) => line.includes("host-stopping")), { describe: "the stop" });
    await expect(fetch(`${running.url}/api/nothing`)).rejects.toThrow("fetch failed");
    await folder.openGate("stop");
    await folder.openGate("slow-answer");

    expect(await (await answer).text()).toBe("answered");
    expect(await stopped).toBe(0);
    expect(await folder.records("work-finished")).toHaveLength(1);
    expect(await folder.records("app-terminated")).toHaveLength(1);
    expect((await queue.getProperties()).approximateMessagesCount).toBe(0);
  });

  test("comes by itself when the parent process is gone", async () => {
    const running = await start();
    running.disconnect();
    expect(await running.exited).toBe(0);
  });
});

describe("the host", () => {
  test("lists the app's functions with their triggers", async () => {
    const { functions } = await start();
    expect(functions).toContainEqual({ name: "echo", trigger: "http" });
    expect(functions).toContainEqual({ name: "yearly", trigger: "timer" });
    expect(functions).toContainEqual({ name: "work", trigger: "queue" });
    expect(await folder.records("app-started")).toHaveLength(1);
  });

  test("ends when a function overruns functionTimeout, since a handler can't be stopped", async () => {
    const running = await start("fixture-timeout-app");
    const response = await fetch(`${running.url}/api/slow-answer`).catch(() => undefined);
    expect(response?.ok ?? false).toBe(false);
    expect(await running.exited).toBe(1);
    expect(running.lines.at(-1)).toContain("FUNCTION_TIMEOUT");
  });

  test("refuses an app whose file throws while it loads", async () => {
    await expect(start("fixture-broken-app")).rejects.toThrow(coded("HOST_APP_INVALID", "thrown while loading"));
  });

  test("refuses a schedule that is not NCRONTAB", async () => {
    await expect(start("fixture-app", { TICK: "every day" })).rejects.toThrow(coded("HOST_APP_INVALID", "every day"));
  });

  test("refuses a port that is in use", async () => {
    const { port } = await start();
    const second = startFixtureHost({
      connectionString: azurite.connectionString,
      folder,
      port,
    });
    await expect(second).rejects.toThrow(coded("HOST_UNAVAILABLE", String(port)));
  });

  test("refuses to start without its storage", async () => {
    const gone = await startTestAzurite();
    await gone.stop();
    const started = startFixtureHost({ connectionString: gone.connectionString, folder });
    await expect(started).rejects.toThrow(coded("HOST_UNAVAILABLE", "storage account"));
  });
});

function coded(code: string, words: string): unknown {
  return expect.objectContaining({ code, message: expect.stringContaining(words) });
}
