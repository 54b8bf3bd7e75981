import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { AppError } from "../../lib/core/errors.ts";

/*
 * A server must not outlive the process that started it, however that ends. So a shell stands between the two: it starts
 * the server and reads its own standard input, a pipe that nobody ever writes to. The pipe closes when we close it, or
 * when we die; then the server gets SIGTERM and, after the grace time, SIGKILL.
 */
const GUARD = `
grace=$1; shift
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
echo "$server" >&4
exec 4>&-
{ read -r _ <&3; kill -TERM "$server"; sleep "$grace"; kill -KILL "$server"; } >/dev/null 2>&1 &
guard=$!
wait "$server"
code=$?
kill "$guard" 2>/dev/null
exit "$code"
`;

/** A server process that ends with its parent. */
export interface GuardedProcess {
  readonly pid: number;
  /** Resolves with the exit code when the server is gone. Never rejects. */
  readonly exited: Promise<number>;
  readonly running: boolean;
  /** SIGTERM, then SIGKILL after the grace time. Resolves when the server is gone. */
  stop(): Promise<void>;
  /** SIGKILL: what a crash does. Resolves when the server is gone. */
  kill(): Promise<void>;
}

export interface GuardedOptions {
  /** File that standard output and error are appended to. */
  logFile: string;
  env?: NodeJS.ProcessEnv;
  /** Time between SIGTERM and SIGKILL. Default 20. */
  graceSeconds?: number;
}

/** Starts a server that dies with this process, in its own process group, so that Ctrl-C in a terminal reaches only us. */
export async function startGuarded(command: readonly string[], options: GuardedOptions): Promise<GuardedProcess> {
  const log = openSync(options.logFile, "a");
  const grace = String(options.graceSeconds ?? 20);
  const shell = spawn("/bin/sh", ["-c", GUARD, "guard", grace, ...command], {
    detached: true,
    stdio: ["pipe", log, log, "ignore", "pipe"],
    env: options.env ?? process.env,
  });
  closeSync(log);
  const exited = new Promise<number>((resolve) => {
    shell.once("exit", (code) => resolve(code ?? -1));
    shell.once("error", () => resolve(-1));
  });
  const pid = await readPid(shell, exited);
  const stop = async () => {
    shell.stdin?.end();
    await exited;
  };
  return {
    pid,
    exited,
    get running() {
      return shell.exitCode === null && shell.signalCode === null;
    },
    stop,
    kill: async () => {
      if (shell.exitCode === null) process.kill(pid, "SIGKILL");
      await stop();
    },
  };
}

async function readPid(shell: ChildProcess, exited: Promise<number>): Promise<number> {
  const pipe = shell.stdio[4];
  if (!pipe) throw new AppError("INVARIANT", "the guard of a server has no pipe for its answer");
  const answer = await Promise.race([once(pipe, "data"), exited]);
  if (typeof answer === "number") {
    throw new AppError("LOCAL_SERVER_FAILED", `/bin/sh ended with ${answer} instead of starting a server`, {
      hint: "See that /bin/sh exists and that the machine can start more processes.",
    });
  }
  return Number(String(answer[0]).trim());
}
