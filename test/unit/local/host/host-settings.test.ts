import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parseHostSettings } from "../../../../local/host/host-settings.ts";

test("host.json without settings has the defaults of the Functions host", () => {
  expect(parseHostSettings('{"version":"2.0"}')).toEqual({
    routePrefix: "api",
    functionTimeoutMs: 1_800_000,
    queues: {
      batchSize: 16,
      newBatchThreshold: 8,
      maxDequeueCount: 5,
      visibilityTimeoutMs: 0,
      maxPollingIntervalMs: 60_000,
      messageEncoding: "base64",
    },
  });
});

test("the project's own host.json is understood", async () => {
  const text = await readFile(new URL("../../../../host.json", import.meta.url), "utf8");
  expect(parseHostSettings(text)).toMatchObject({
    functionTimeoutMs: 12 * 3_600_000,
    queues: { batchSize: 4, newBatchThreshold: 2, maxDequeueCount: 5, visibilityTimeoutMs: 30_000 },
  });
});

test("a time span may have days, and a timeout of -1 is none", () => {
  const queues = { visibilityTimeout: "1.02:03:04" };
  const settings = parseHostSettings(JSON.stringify({ version: "2.0", functionTimeout: "-1", extensions: { queues } }));
  expect([settings.functionTimeoutMs, settings.queues.visibilityTimeoutMs]).toEqual([Infinity, 93_784_000]);
});

test("every wrong setting is named at once", () => {
  const queues = { batchSize: 33, visibilityTimeout: "30s" };
  const text = JSON.stringify({ version: "1.0", extensions: { queues } });
  expect(() => parseHostSettings(text)).toThrow(
    /version.*extensions\.queues\.batchSize.*extensions\.queues\.visibilityTimeout.*found "30s"/,
  );
});

test("a host.json that is no JSON is refused with a code", () => {
  expect(() => parseHostSettings("{")).toThrow(expect.objectContaining({ code: "HOST_APP_INVALID" }));
});
