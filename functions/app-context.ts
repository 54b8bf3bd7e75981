import type { InvocationContext } from "@azure/functions";
import { createLogger, type Logger, type LogLevel } from "../lib/core/log.ts";
import { openContext, type Context } from "../lib/vault/context.ts";

let opened: Promise<Context> | undefined;

/**
 * The policy, vaults and keys of this app, opened at the first call. A failure is not kept: the next call tries again,
 * so that a corrected setting or a storage that came back needs no restart. Never called while a module loads, because
 * a throw there would stop the whole app.
 */
export async function appContext(): Promise<Context> {
  opened ??= openContext(process.env, { logger: processLogger() });
  try {
    return await opened;
  } catch (error: unknown) {
    opened = undefined;
    throw error;
  }
}

/** A logger that writes its lines to the invocation's own log. */
export function invocationLogger(invocation: InvocationContext): Logger {
  const sink = (level: LogLevel, line: string) => invocation[level](line);
  return createLogger(sink, undefined, {
    function: invocation.functionName,
    invocation: invocation.invocationId,
  });
}

/** For what happens between invocations: the host collects standard error. */
function processLogger(): Logger {
  return createLogger((_level, line) => process.stderr.write(`${line}\n`));
}
