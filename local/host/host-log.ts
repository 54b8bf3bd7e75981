import { createLogger, type Logger, type LogLevel, type LogSink } from "../../lib/core/log.ts";
import type { RpcLogCategory, RpcLogLevel } from "./core-api.ts";

const LEVELS: Readonly<Record<RpcLogLevel, LogLevel>> = {
  trace: "debug",
  debug: "debug",
  information: "info",
  warning: "warn",
  error: "error",
  critical: "error",
  none: "debug",
};

export interface HostLog {
  readonly logger: Logger;
  /** A line of the app or of the library. A line that is JSON already passes as it is. */
  write(level: RpcLogLevel, category: RpcLogCategory, message: string, functionName?: string): void;
}

/** The host's own events and the app's lines, in one stream. */
export function createHostLog(sink: LogSink): HostLog {
  const logger = createLogger(sink);
  return {
    logger,
    write(level, category, message, functionName) {
      const ownLevel = LEVELS[level];
      if (message.startsWith("{") && message.endsWith("}")) sink(ownLevel, message);
      else
        logger[ownLevel](category === "user" ? "function-log" : "functions-library", {
          function: functionName,
          message,
        });
    },
  };
}
