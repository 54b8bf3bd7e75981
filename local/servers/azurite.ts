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
  /** Of a second account, as a vault in another region has one. */
  readonly otherConnectionString: string;
  readonly blobUrl: string;
  readonly queueUrl: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const ACCOUNT = "resguardolocal";
const OTHER_ACCOUNT = "resguardooffsite";
const LISTENING = /Azurite (Blob|Queue) service (?:is )?successfully listen\w* (?:at|on) (http:\/\/127\.0\.0\.1:\d+)/g;

/** Starts Azurite, Microsoft's storage emulator, on 127.0.0.1 with an account key of its own. Throws LOCAL_SERVER_FAILED. */
export async function startAzurite(request: StartAzurite = {}): Promise<AzuriteServer> {
  const runDir = await temporaryFolder("azurite");
  const logFile = join(runDir, "azurite.log");
  const newKey = () => randomBytes(64).toString("base64");
  const keys = new Map([ACCOUNT, OTHER_ACCOUNT].map((account) => [account, newKey()]));
  const child = await startGuarded(commandLine(request), {
    logFile,
    env: { ...process.env, AZURITE_ACCOUNTS: Array.from(keys, (pair) => pair.join(":")).join(";") },
    graceSeconds: 5,
  });
  const stop = async () => {
    await child.stop();
    await rm(runDir, { recursive: true, force: true });
  };
  try {
    const { blobUrl, queueUrl } = await untilListening(child, logFile, request.deadlineMs ?? 60_000);
    const connectionStringOf = (account: string) =>
      [
        "DefaultEndpointsProtocol=http",
        `AccountName=${account}`,
        `AccountKey=${keys.get(account)}`,
        `BlobEndpoint=${blobUrl}/${account}`,
        `QueueEndpoint=${queueUrl}/${account}`,
      ].join(";");
    return {
      blobUrl: `${blobUrl}/${ACCOUNT}`,
      queueUrl: `${queueUrl}/${ACCOUNT}`,
      pid: child.pid,
      connectionString: connectionStringOf(ACCOUNT),
      otherConnectionString: connectionStringOf(OTHER_ACCOUNT),
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
    if (blob && queue) return { blobUrl: blob, queueUrl: queue };
    await pause(50);
  }
  const lastLine = (await readFile(logFile, "utf8")).trim().split("\n").at(-1) ?? "";
  const what = child.running ? `does not listen after ${deadlineMs} ms` : "ended while it started";
  throw new AppError("LOCAL_SERVER_FAILED", `Azurite ${what}: ${lastLine || "nothing in its log"}`, {
    hint: "Run npm ci again if its package is damaged; otherwise look whether its ports are in use.",
  });
}
