import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { AppError } from "../../lib/core/errors.ts";

export interface QueueSettings {
  readonly batchSize: number;
  /** The next batch is fetched when no more than this many messages are being worked on. */
  readonly newBatchThreshold: number;
  /** A message that failed this often goes to the poison queue. */
  readonly maxDequeueCount: number;
  /** How long a failed message stays invisible. */
  readonly visibilityTimeoutMs: number;
  /** Longest wait between two looks at an empty queue. */
  readonly maxPollingIntervalMs: number;
  readonly messageEncoding: "base64" | "none";
}

/** What host.json says, with the defaults of the Functions host. */
export interface HostSettings {
  readonly routePrefix: string;
  /** Infinity when the file says -1. */
  readonly functionTimeoutMs: number;
  readonly queues: QueueSettings;
}

const TIME_SPAN = /^(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})$/;

const timeSpan = z.string().transform((text, context) => {
  const match = TIME_SPAN.exec(text);
  if (!match) {
    context.addIssue({ code: "custom", message: `expected a time span such as "00:00:30", found "${text}"` });
    return z.NEVER;
  }
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
});

const queues = z
  .object({
    batchSize: z.int().min(1).max(32).default(16),
    newBatchThreshold: z.int().min(0).optional(),
    maxDequeueCount: z.int().min(1).default(5),
    visibilityTimeout: timeSpan.prefault("00:00:00"),
    maxPollingInterval: timeSpan.prefault("00:01:00"),
    messageEncoding: z.enum(["base64", "none"]).default("base64"),
  })
  .prefault({});

const hostJson = z.object({
  version: z.literal("2.0"),
  functionTimeout: z.union([z.literal("-1").transform(() => Infinity), timeSpan]).prefault("00:30:00"),
  extensions: z
    .object({
      http: z.object({ routePrefix: z.string().default("api") }).prefault({}),
      queues,
    })
    .prefault({}),
});

/** Reads host.json of the app. Throws HOST_APP_INVALID with every problem in it. */
export async function readHostSettings(appRoot: string): Promise<HostSettings> {
  return parseHostSettings(await readFile(join(appRoot, "host.json"), "utf8"));
}

/** Throws HOST_APP_INVALID. https://learn.microsoft.com/azure/azure-functions/functions-host-json */
export function parseHostSettings(text: string): HostSettings {
  const parsed = hostJson.safeParse(parseJson(text));
  if (!parsed.success) {
    throw invalid(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
  }
  const { functionTimeout, extensions } = parsed.data;
  const { newBatchThreshold, visibilityTimeout, maxPollingInterval, ...queueSettings } = extensions.queues;
  return {
    routePrefix: extensions.http.routePrefix,
    functionTimeoutMs: functionTimeout,
    queues: {
      ...queueSettings,
      newBatchThreshold: newBatchThreshold ?? Math.floor(queueSettings.batchSize / 2),
      visibilityTimeoutMs: visibilityTimeout,
      maxPollingIntervalMs: maxPollingInterval,
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error: unknown) {
    throw invalid("is not JSON", error);
  }
}

function invalid(problem: string, cause?: unknown): AppError {
  return new AppError("HOST_APP_INVALID", `host.json: ${problem}`, {
    hint: "See https://learn.microsoft.com/azure/azure-functions/functions-host-json for its fields.",
    cause,
  });
}
