import { AppError } from "../../core/errors.ts";
import type { ErrorCode } from "../../core/error-codes.ts";

// Server error numbers: https://dev.mysql.com/doc/mysql-errors/9.7/en/server-error-reference.html
const BY_NUMBER = new Map<number, ErrorCode>([
  ...codes("SOURCE_LOGIN_REFUSED", [1045, 1130, 1251, 1524, 1698, 1820, 1862, 3118, 3159, 3878, 4151]),
  ...codes("SOURCE_GRANT_MISSING", [1044, 1095, 1142, 1143, 1227, 1370, 1410, 3530]),
  ...codes("SOURCE_UNREACHABLE", [1040, 1129, 1203, 1226]),
  ...codes("SOURCE_CONNECTION_LOST", [1053, 1077, 1158, 1159, 1160, 1161, 1927, 4031]),
  ...codes("SOURCE_DDL_DURING_BACKUP", [1412]),
]);

const BY_NAME = new Map<string, ErrorCode>([
  ...codes("SOURCE_UNREACHABLE", [
    "ECONNREFUSED",
    "ETIMEDOUT",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "ENOTFOUND",
    "EAI_AGAIN",
    "EHOSTDOWN",
  ]),
  ...codes("SOURCE_CONNECTION_LOST", ["PROTOCOL_CONNECTION_LOST", "ECONNRESET", "EPIPE", "ECONNABORTED"]),
  ...codes("SOURCE_TLS_FAILED", [
    "HANDSHAKE_NO_SSL_SUPPORT",
    "HANDSHAKE_SSL_ERROR",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "UNABLE_TO_GET_ISSUER_CERT",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "CERT_HAS_EXPIRED",
    "CERT_NOT_YET_VALID",
    "CERT_UNTRUSTED",
  ]),
  ...codes("SOURCE_PROTOCOL", ["PROTOCOL_ERROR", "PROTOCOL_UNEXPECTED_PACKET"]),
]);

const HINTS: Partial<Record<ErrorCode, string>> = {
  SOURCE_LOGIN_REFUSED: "Check user and password of the URL, and from which hosts the account may log in.",
  SOURCE_UNREACHABLE:
    "Check host and port of the URL, and that the server runs, is reachable and has free connections.",
  SOURCE_TLS_FAILED:
    "Give the server's authority by ssl-ca=PATH in the URL, and connect by the name that its certificate carries (or use ssl-mode=VERIFY_CA).",
  SOURCE_GRANT_MISSING: "Run resguardo check: it lists each privilege that is needed and the GRANT that gives it.",
  SOURCE_DDL_DURING_BACKUP: "Run the backup again when the schema changes are done.",
};

/** The fields of a mysql2 error that may be shown. Its message can quote row data, so it is kept as the cause only. */
export interface DriverError {
  /** Server error number, when the server sent one. */
  number: number | undefined;
  /** `ER_…` of the server, or a network code such as `ECONNREFUSED`. */
  name: string;
}

/** What mysql2, TLS or the socket said; undefined for anything else that was thrown. */
export function readDriverError(error: unknown): DriverError | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const number = "errno" in error && typeof error.errno === "number" && error.errno > 0 ? error.errno : undefined;
  return { number, name: String(error.code) };
}

/**
 * Turns an error of the driver into the product's, `context` first ("shop at 10.0.0.5:3306", "reading `a`.`b`").
 * An AppError passes unchanged.
 */
export function toSourceError(error: unknown, context: string): AppError {
  if (error instanceof AppError) return error;
  const found = readDriverError(error);
  if (found === undefined) return new AppError("INVARIANT", `${context}: unexpected failure`, { cause: error });
  return serverError(found, context, error);
}

/** The product's error for an error number or name, wherever it was read. */
export function serverError(found: DriverError, context: string, cause?: unknown): AppError {
  const { number, name } = found;
  const code = (number === undefined ? undefined : BY_NUMBER.get(number)) ?? BY_NAME.get(name) ?? fallback(name);
  const hint = HINTS[code];
  const reason = number === undefined ? name : `server error ${number} (${name})`;
  return new AppError(code, `${context}: ${reason}`, hint === undefined ? { cause } : { hint, cause });
}

function fallback(name: string): ErrorCode {
  return name.startsWith("ERR_SSL") || name.startsWith("ERR_TLS") || name.startsWith("ERR_OSSL")
    ? "SOURCE_TLS_FAILED"
    : "SOURCE_QUERY_FAILED";
}

function codes<Key>(code: ErrorCode, keys: Key[]): [Key, ErrorCode][] {
  return keys.map((key) => [key, code]);
}
