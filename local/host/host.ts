import type { ContainerClient } from "@azure/storage-blob";
import { AppError } from "../../lib/core/errors.ts";
import type { Logger, LogSink } from "../../lib/core/log.ts";
import { systemClock } from "../../lib/core/time.ts";
import { createHostLog, type HostLog } from "./host-log.ts";
import { type HostSettings, readHostSettings } from "./host-settings.ts";
import { describeFunction, type HostedFunction } from "./hosted-function.ts";
import { startHttp } from "./http.ts";
import { createInvoker, type Invoker } from "./invoker.ts";
import { loadApp } from "./load-app.ts";
import { writeQueueOutputs } from "./queue-output.ts";
import { runQueue } from "./queues.ts";
import { createRegistry, type Registry } from "./registry.ts";
import { hostContainer } from "./storage-clients.ts";
import { runTimer } from "./timers.ts";

export interface HostOptions {
  /** Folder of the app's package.json and host.json. */
  appRoot: string;
  /** 0: any free port. */
  port: number;
  /** The storage account of AzureWebJobsStorage. */
  connectionString: string;
  /** Settings that the app finds in process.env. */
  env?: Readonly<Record<string, string>>;
  /** Receives the host's and the app's log, line by line. */
  sink: LogSink;
  /** How long a received message stays invisible unless renewed. Default 60; a killed host's messages come back after it. */
  messageLeaseSeconds?: number;
  /** 15 to 60. How long the timers of a killed host rest before another host runs them. Default 15. */
  timerLeaseSeconds?: number;
}

export interface RunningHost {
  readonly port: number;
  /** `http://127.0.0.1:7071`. */
  readonly url: string;
  readonly functions: readonly { name: string; trigger: "http" | "timer" | "queue" }[];
  /** Settles when a function overran its time; the process should end then, since a handler can't be stopped. */
  readonly failed: Promise<AppError>;
  /** Takes no new work, waits for what runs, and calls the app's terminate hooks. */
  stop(): Promise<void>;
}

/**
 * Runs the compiled Functions app of `appRoot` in this process, on 127.0.0.1: HTTP, timers and storage queues, with the
 * semantics of the Functions host. One app for each process. Throws HOST_APP_INVALID, HOST_UNAVAILABLE.
 */
export async function startHost(options: HostOptions): Promise<RunningHost> {
  const startedAt = performance.now();
  Object.assign(process.env, options.env, { AzureWebJobsStorage: options.connectionString });
  const log = createHostLog(options.sink);
  const settings = await readHostSettings(options.appRoot);
  const registry = createRegistry((level, category, message) => log.write(level, category, message));
  await loadApp(options.appRoot, registry);
  await refuseStreaming(registry);
  const functions = [...registry.functions.values()].map((registered) => describeFunction(registered, process.env));
  await registry.runHooks("appStart", { hookData: {} });

  const timeout = Promise.withResolvers<AppError>();
  const invoker = makeInvoker(registry, settings, log, timeout.resolve);
  const container = await openContainer(options.connectionString);
  const http = await startHttp({ functions, invoker, routePrefix: settings.routePrefix, port: options.port });
  const listeners = startListeners(functions, invoker, { options, settings, container, logger: log.logger });
  log.logger.info("host-started", {
    port: http.port,
    functions: functions.map(({ name }) => name),
    tookMs: Math.round(performance.now() - startedAt),
  });

  return {
    port: http.port,
    url: `http://127.0.0.1:${http.port}`,
    functions: functions.map(({ name, trigger }) => ({ name, trigger: trigger.kind })),
    failed: timeout.promise,
    async stop() {
      log.logger.info("host-stopping");
      await Promise.all([http.stop(), listeners.stop()]);
      await invoker.idle();
      await registry.runHooks("appTerminate", { hookData: {} });
      log.logger.info("host-stopped");
    },
  };
}

/** With streaming on, the library opens a server of its own on every network interface. */
async function refuseStreaming(registry: Registry): Promise<void> {
  const capabilities = await registry.model().getCapabilities?.({});
  if (capabilities?.["HttpUri"] === undefined) return;
  throw new AppError("HOST_APP_INVALID", "the app turns on enableHttpStream, which the embedded host does not serve", {
    hint: "Remove enableHttpStream from app.setup.",
  });
}

function makeInvoker(
  registry: Registry,
  { functionTimeoutMs, queues }: HostSettings,
  log: HostLog,
  onTimeout: (error: AppError) => void,
): Invoker {
  return createInvoker({
    registry,
    logger: log.logger,
    functionTimeoutMs,
    onTimeout,
    writeOutputs: (hosted, response) => writeQueueOutputs(hosted, response, queues.messageEncoding),
    writeLog(level, category, message, functionName) {
      const line = { level, category, message };
      registry.runLogHooks(line);
      log.write(line.level, line.category, line.message, functionName);
    },
  });
}

async function openContainer(connectionString: string): Promise<ContainerClient> {
  const container = hostContainer(connectionString);
  try {
    await container.createIfNotExists();
    return container;
  } catch (error: unknown) {
    throw new AppError(
      "HOST_UNAVAILABLE",
      `the storage account at ${new URL(container.url).host} does not serve the host`,
      {
        hint: "See that AzureWebJobsStorage is right and that the storage, or its emulator, is running.",
        cause: error,
      },
    );
  }
}

interface ListenerDeps {
  options: HostOptions;
  container: ContainerClient;
  settings: HostSettings;
  logger: Logger;
}

function startListeners(functions: readonly HostedFunction[], invoker: Invoker, deps: ListenerDeps) {
  const { options, settings, container, logger } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;
  const timerDeps = {
    container,
    hostId: process.env["AzureFunctionsWebHost__hostid"] ?? "embedded",
    invoker,
    logger,
    clock: systemClock,
    leaseSeconds: options.timerLeaseSeconds ?? 15,
    signal,
  };
  const queueDeps = {
    settings: settings.queues,
    invoker,
    logger,
    leaseSeconds: options.messageLeaseSeconds ?? 60,
    signal,
  };
  const listeners = functions.map(async (hosted) => {
    const { trigger } = hosted;
    if (trigger.kind === "timer") await runTimer({ ...hosted, trigger }, timerDeps);
    if (trigger.kind === "queue") await runQueue({ ...hosted, trigger }, queueDeps);
  });
  return {
    async stop() {
      stopping.abort();
      await Promise.all(listeners);
    },
  };
}
