import { randomBytes } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { AppError } from "../../lib/core/errors.ts";
import { type GuardedProcess, startGuarded } from "./guarded-process.ts";
import { temporaryFolder } from "./run-folder.ts";

export interface StartAzurite {
  /** Folder that keeps the data from one start to the next. Default: memory only, gone with the process. */
  location?: string;
  /** Default 0: any free port. */
  blobPort?: number;
  queuePort?: number;
  /** Default 60,000. */
  deadlineMs?: number;
}

export interface AzuriteServer extends AsyncDisposable {
  readonly connectionString: string;
  readonly blobUrl: string;
  readonly queueUrl: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const ACCOUNT = "resguardolocal";
const LISTENING = /Azurite (Blob|Queue) service (?:is )?successfully listen\w* (?:at|on) (http:\/\/127\.0\.0\.1:\d+)/g;

/** Starts Azurite, Microsoft's storage emulator, on 127.0.0.1 with an account key of its own. Throws LOCAL_SERVER_FAILED. */
export async function startAzurite(request: StartAzurite = {}): Promise<AzuriteServer> {
  const runDir = await temporaryFolder("azurite");
  const logFile = join(runDir, "azurite.log");
  const key = randomBytes(64).toString("base64");
  const child = await startGuarded(commandLine(request), {
    logFile,
    env: { ...process.env, AZURITE_ACCOUNTS: `${ACCOUNT}:${key}` },
    graceSeconds: 5,
  });
  const stop = async () => {
    await child.stop();
    await rm(runDir, { recursive: true, force: true });
  };
  try {
    const { blobUrl, queueUrl } = await untilListening(child, logFile, request.deadlineMs ?? 60_000);
    return {
      blobUrl,
      queueUrl,
      pid: child.pid,
      connectionString: [
        "DefaultEndpointsProtocol=http",
        `AccountName=${ACCOUNT}`,
        `AccountKey=${key}`,
        `BlobEndpoint=${blobUrl}`,
        `QueueEndpoint=${queueUrl}`,
      ].join(";"),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error: unknown) {
    await stop();
    throw error;
  }
}

function commandLine({ location, blobPort = 0, queuePort = 0 }: StartAzurite): string[] {
  return [
    process.execPath,
    createRequire(import.meta.url).resolve("azurite/dist/src/azurite.js"),
    "--silent",
    "--disableTelemetry",
    // The current SDKs ask for an API version that Azurite does not list yet.
    "--skipApiVersionCheck",
    `--blobPort=${blobPort}`,
    `--queuePort=${queuePort}`,
    "--tablePort=0",
    ...(location === undefined ? ["--inMemoryPersistence"] : [`--location=${location}`]),
  ];
}

async function untilListening(child: GuardedProcess, logFile: string, deadlineMs: number) {
  const giveUpAt = performance.now() + deadlineMs;
  while (child.running && performance.now() < giveUpAt) {
    const urls = new Map<string | undefined, string | undefined>();
    for (const [, service, url] of (await readFile(logFile, "utf8")).matchAll(LISTENING)) urls.set(service, url);
    const [blob, queue] = [urls.get("Blob"), urls.get("Queue")];
    if (blob && queue) return { blobUrl: `${blob}/${ACCOUNT}`, queueUrl: `${queue}/${ACCOUNT}` };
    await pause(50);
  }
  const lastLine = (await readFile(logFile, "utf8")).trim().split("\n").at(-1) ?? "";
  const what = child.running ? `does not listen after ${deadlineMs} ms` : "ended while it started";
  throw new AppError("LOCAL_SERVER_FAILED", `Azurite ${what}: ${lastLine || "nothing in its log"}`, {
    hint: "Run npm ci again if its package is damaged; otherwise look whether its ports are in use.",
  });
}
