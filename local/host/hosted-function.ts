import { AppError } from "../../lib/core/errors.ts";
import { parseSchedule, type Schedule } from "../../lib/core/schedule.ts";
import type { RpcBinding } from "./core-api.ts";
import type { RegisteredFunction } from "./registry.ts";

export interface HttpTrigger {
  kind: "http";
  binding: string;
  /** Without the prefix: `freshness/{source?}`. */
  route: string;
  methods: readonly string[];
}

export interface TimerTrigger {
  kind: "timer";
  binding: string;
  schedule: Schedule;
  runOnStartup: boolean;
  useMonitor: boolean;
}

export interface QueueTrigger {
  kind: "queue";
  binding: string;
  queueName: string;
  connectionString: string;
}

export interface QueueOutput {
  binding: string;
  queueName: string;
  connectionString: string;
}

/** A registered function whose bindings were understood, with settings resolved. */
export interface HostedFunction<T = HttpTrigger | TimerTrigger | QueueTrigger> {
  readonly name: string;
  readonly trigger: T;
  readonly outputs: readonly QueueOutput[];
  readonly registered: RegisteredFunction;
}

type Settings = Readonly<Record<string, string | undefined>>;

/** Reads a function's bindings; `settings` are the environment. Throws HOST_APP_INVALID for what this host does not run. */
export function describeFunction(registered: RegisteredFunction, settings: Settings): HostedFunction {
  const { name, bindings, retryOptions } = registered.metadata;
  if (retryOptions !== undefined) throw unsupported(name, "a retry policy");
  let trigger: HostedFunction["trigger"] | undefined;
  const outputs: QueueOutput[] = [];
  for (const [binding, options] of Object.entries(bindings)) {
    if (options.direction === "out") {
      if (options.type === "queue") outputs.push(readQueue(name, binding, options, settings));
      else if (options.type !== "http") throw unsupported(name, `an output of type ${options.type}`);
    } else {
      trigger = readTrigger(name, binding, options, settings);
    }
  }
  if (!trigger) throw unsupported(name, "no trigger");
  return { name, trigger, outputs, registered };
}

function readTrigger(
  name: string,
  binding: string,
  options: RpcBinding,
  settings: Settings,
): HostedFunction["trigger"] {
  switch (options.type) {
    case "httpTrigger":
      return {
        kind: "http",
        binding,
        route: textOf(options, "route") ?? name,
        methods: Array.isArray(options["methods"]) ? options["methods"].map(String) : ["GET", "POST"],
      };
    case "timerTrigger":
      return {
        kind: "timer",
        binding,
        schedule: readSchedule(name, resolve(name, required(name, options, "schedule"), settings)),
        runOnStartup: options["runOnStartup"] === true,
        useMonitor: options["useMonitor"] !== false,
      };
    case "queueTrigger":
      return { kind: "queue", ...readQueue(name, binding, options, settings) };
    default:
      throw unsupported(name, `a binding of type ${options.type}`);
  }
}

function readQueue(name: string, binding: string, options: RpcBinding, settings: Settings): QueueOutput {
  const connection = textOf(options, "connection") || "AzureWebJobsStorage";
  const connectionString = settings[`AzureWebJobs${connection}`] ?? settings[connection];
  if (!connectionString)
    throw invalid(name, `the setting ${connection} is not set`, `Set ${connection} to a connection string.`);
  return { binding, queueName: resolve(name, required(name, options, "queueName"), settings), connectionString };
}

function readSchedule(name: string, text: string): Schedule {
  try {
    return parseSchedule(text);
  } catch (error: unknown) {
    throw new AppError("HOST_APP_INVALID", `function "${name}": schedule "${text}" is not understood`, {
      hint: "Write six NCRONTAB fields: second, minute, hour, day, month, day of week.",
      cause: error,
    });
  }
}

/** Replaces %NAME% by the setting of that name. */
function resolve(name: string, text: string, settings: Settings): string {
  return text.replace(/%([^%]+)%/g, (_, setting: string) => {
    const value = settings[setting];
    if (value !== undefined) return value;
    throw invalid(name, `the setting ${setting} is not set`, `Set ${setting}, which "${text}" refers to.`);
  });
}

function textOf(options: RpcBinding, option: string): string | undefined {
  const value = options[option];
  return typeof value === "string" ? value : undefined;
}

function required(name: string, options: RpcBinding, option: string): string {
  const value = textOf(options, option);
  if (value) return value;
  throw invalid(name, `its ${options.type} has no ${option}`, `Give ${option} where the function is registered.`);
}

function unsupported(name: string, what: string): AppError {
  return invalid(
    name,
    `${what} is not run by the embedded host`,
    "Use HTTP, timer and queue triggers and queue outputs.",
  );
}

function invalid(name: string, problem: string, hint: string): AppError {
  return new AppError("HOST_APP_INVALID", `function "${name}": ${problem}`, { hint });
}
