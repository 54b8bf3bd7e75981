import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { AppError, type ErrorReport } from "../../lib/core/errors.ts";
import type { LogLevel, LogSink } from "../../lib/core/log.ts";
import type { HostOptions, RunningHost } from "./host.ts";

export interface HostProcess extends AsyncDisposable, Pick<RunningHost, "port" | "url" | "functions"> {
  readonly pid: number;
  /** Exit code; null when a signal ended it. */
  readonly exited: Promise<number | null>;
  /** Graceful: running work is finished first. Resolves with the exit code. */
  stop(): Promise<number | null>;
  /** What a crash does. */
  kill(): Promise<void>;
  /** Lets go of the host, as the end of this process would; it stops by itself then. */
  disconnect(): void;
}

/** Runs the embedded host as a child process that stops when this process ends. Throws what `startHost` throws. */
export async function startHostProcess(options: HostOptions): Promise<HostProcess> {
  const child = fork(mainFile(), commandLine(options), {
    // A group of its own: Ctrl-C in a terminal reaches the parent, which stops the host in its own order.
    detached: true,
    stdio: ["ignore", "pipe", "inherit", "ipc"],
    env: { ...process.env, ...options.env, AzureWebJobsStorage: options.connectionString },
  });
  const exited = once(child, "exit").then(([code]) => code as number | null);
  forwardLines(child, options.sink);
  const answer = await Promise.race([once(child, "message"), exited]);
  const message = (Array.isArray(answer) ? answer[0] : {}) as { failure?: ErrorReport } & Partial<Started>;
  const { failure, port, functions } = message;
  if (port !== undefined && functions) return control(child, exited, { port, functions });
  const { code, ...rest } = failure ?? {
    code: "HOST_UNAVAILABLE",
    message: "the embedded host ended while it started",
  };
  throw new AppError(code, rest.message, { hint: rest.hint ?? "What it wrote to standard error says why." });
}

type Started = Pick<RunningHost, "port" | "functions">;

function control(child: ChildProcess, exited: Promise<number | null>, { port, functions }: Started): HostProcess {
  const stop = async () => {
    child.kill("SIGTERM");
    return exited;
  };
  return {
    port,
    functions,
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? -1,
    exited,
    stop,
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
    disconnect: () => child.disconnect(),
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}

/** main.ts beside the sources, main.js beside the compiled files. */
function mainFile(): string {
  const self = fileURLToPath(import.meta.url);
  return self.replace(/host-process(\.[jt]s)$/, "main$1");
}

function commandLine({ appRoot, port, messageLeaseSeconds, timerLeaseSeconds }: HostOptions): string[] {
  return [
    `--app=${appRoot}`,
    `--port=${port}`,
    ...(messageLeaseSeconds === undefined ? [] : [`--message-lease-seconds=${messageLeaseSeconds}`]),
    ...(timerLeaseSeconds === undefined ? [] : [`--timer-lease-seconds=${timerLeaseSeconds}`]),
  ];
}

function forwardLines(child: ChildProcess, sink: LogSink): void {
  if (!child.stdout) return;
  createInterface({ input: child.stdout }).on("line", (line) => sink(levelOf(line), line));
}

function levelOf(line: string): LogLevel {
  return (/"level":"(debug|info|warn|error)"/.exec(line)?.[1] as LogLevel | undefined) ?? "info";
}
