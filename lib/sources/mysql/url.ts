import { AppError } from "../../core/errors.ts";

/** How the connection is protected. `verify-identity` is what a server away from loopback gets by default. */
export type TlsMode = "disabled" | "verify-ca" | "verify-identity";

/** Where a MySQL server is and how to log in. Holds a password: never logged as a whole; see `describeTarget`. */
export interface MysqlTarget {
  host: string;
  port: number;
  user: string;
  password: string;
  tls: TlsMode;
  /** Path of a PEM file with the authorities to trust; undefined means Node's own list. */
  caPath?: string;
}

const TLS_MODES: Record<string, TlsMode> = {
  DISABLED: "disabled",
  VERIFY_CA: "verify-ca",
  VERIFY_IDENTITY: "verify-identity",
};

/**
 * Reads `mysql://USER:PASSWORD@HOST:PORT/?ssl-mode=…&ssl-ca=PATH`; user and password percent-encoded.
 * Throws SOURCE_URL_INVALID or SOURCE_TLS_REQUIRED; no message repeats any part of the URL but host and option names.
 */
export function parseMysqlUrl(text: string): MysqlTarget {
  const url = parse(text);
  const host = decode(url.hostname).replace(/^\[(.*)\]$/, "$1");
  if (host === "") throw invalid("it has no host");
  if (url.pathname !== "" && url.pathname !== "/") {
    throw invalid("it has a path", 'Leave the path out; the policy\'s "databases" names what to back up.');
  }
  const options = readOptions(url.searchParams);
  const target: MysqlTarget = {
    host,
    port: url.port === "" ? 3306 : Number(url.port),
    user: decode(url.username),
    password: decode(url.password),
    tls: options.tls ?? (isLoopback(host) ? "disabled" : "verify-identity"),
  };
  if (options.caPath !== undefined) target.caPath = options.caPath;
  if (target.user === "") throw invalid("it has no user");
  if (target.tls === "disabled" && !isLoopback(host)) {
    throw new AppError("SOURCE_TLS_REQUIRED", `plain text to ${host}, which is not on loopback`, {
      hint: "Take ssl-mode=DISABLED out of the URL; plain text is for loopback only.",
    });
  }
  return target;
}

/** `host:port` for logs and messages. */
export function describeTarget(target: MysqlTarget): string {
  return `${target.host.includes(":") ? `[${target.host}]` : target.host}:${target.port}`;
}

function readOptions(parameters: URLSearchParams): { tls?: TlsMode; caPath?: string } {
  const options: { tls?: TlsMode; caPath?: string } = {};
  const seen = new Set<string>();
  for (const [name, value] of parameters) {
    if (seen.has(name)) throw invalid(`the option "${name}" is given twice`);
    seen.add(name);
    if (name === "ssl-mode") options.tls = readTlsMode(value);
    else if (name === "ssl-ca" && value !== "") options.caPath = value;
    else throw invalid(`unknown or empty option "${name}"`, "Known options are ssl-mode and ssl-ca.");
  }
  if (options.caPath !== undefined && options.tls === "disabled") throw invalid("ssl-ca with ssl-mode=DISABLED");
  if (options.caPath !== undefined) options.tls ??= "verify-identity";
  return options;
}

function readTlsMode(value: string): TlsMode {
  const mode = TLS_MODES[value.toUpperCase().replaceAll("-", "_")];
  if (mode !== undefined) return mode;
  throw invalid(
    "ssl-mode has an unknown value",
    "Use VERIFY_IDENTITY (the default), VERIFY_CA, or DISABLED on loopback.",
  );
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function parse(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw invalid("it can't be parsed");
  if (url.protocol !== "mysql:") throw invalid(`scheme "${url.protocol}", expected "mysql:"`);
  if (url.hash !== "") throw invalid("it has a fragment");
  return url;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error: unknown) {
    throw new AppError("SOURCE_URL_INVALID", "database URL: a percent sign is not followed by two hex digits", {
      hint: "Write a percent sign in a user or password as %25.",
      cause: error,
    });
  }
}

function invalid(found: string, hint?: string): AppError {
  return new AppError("SOURCE_URL_INVALID", `database URL: ${found}`, {
    hint: hint ?? "Expected mysql://USER:PASSWORD@HOST:PORT/?ssl-ca=PATH, special characters percent-encoded.",
  });
}
