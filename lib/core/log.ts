export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Record<string, unknown>;

/**
 * Structured log: one line an event, `event` in kebab-case ("backup-finished"), figures with units in their names.
 * Secrets and row data are never passed in; what looks like a credential in a URL is masked all the same.
 */
export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A logger that adds `fields` to each of its lines. */
  child(fields: LogFields): Logger;
}

/** Where a finished line goes; the Functions context, standard error or a test's array. */
export type LogSink = (level: LogLevel, line: string) => void;

const SECRETS: readonly [pattern: RegExp, mask: string][] = [
  // Up to the last @ before the path: a password that nobody encoded may hold one itself.
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/]*@/gi, "$1***@"],
  [/\b((?:sig|accountkey|sharedaccesskey|password|pwd)=)[^&;\s]+/gi, "$1***"],
  [/\b(bearer )[\w.~+/=-]+/gi, "$1***"],
  [/(-----BEGIN [A-Z ]*PRIVATE KEY-----)[^]*?(?:-----END|$)/g, "$1***"],
];

/** Masks credentials in URLs, connection strings, SAS, tokens and PEM keys: a last line of defence for foreign texts. */
export function maskSecrets(text: string): string {
  return SECRETS.reduce((masked, [pattern, mask]) => masked.replace(pattern, mask), text);
}

/** Makes a logger that writes JSON lines into `sink`. `clock` stamps them. */
export function createLogger(sink: LogSink, clock: () => Date = () => new Date(), base: LogFields = {}): Logger {
  const write = (level: LogLevel) => (event: string, fields?: LogFields) => {
    sink(level, JSON.stringify({ time: clock().toISOString(), level, event, ...base, ...fields }, toLoggable));
  };
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: (fields) => createLogger(sink, clock, { ...base, ...fields }),
  };
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** A sink that passes on what is at least of level `least`. */
export function atLeast(least: LogLevel, sink: LogSink): LogSink {
  return (level, line) => {
    if (LEVELS.indexOf(level) >= LEVELS.indexOf(least)) sink(level, line);
  };
}

/** Discards everything; for library calls whose caller wants no log. */
export const silentLogger: Logger = createLogger(() => {});

function toLoggable(_key: string, value: unknown): unknown {
  if (typeof value === "string") return maskSecrets(value);
  return typeof value === "bigint" ? value.toString() : value;
}
