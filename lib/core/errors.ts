import { ERROR_CODES, type ErrorCode, type ErrorKind } from "./error-codes.ts";
import { maskSecrets } from "./log.ts";

export interface ErrorDetails {
  /** A full sentence that tells the operator what to do. */
  hint?: string;
  cause?: unknown;
  /** Overrides the code table, where one occurrence is known to be (not) worth a retry. */
  retryable?: boolean;
}

/** The only error type that crosses a module's edge. Its message never holds a secret or row data. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.name = "AppError";
    this.code = code;
    this.hint = details.hint;
    this.retryable = details.retryable ?? "retryable" in ERROR_CODES[code];
  }

  get kind(): ErrorKind {
    return ERROR_CODES[this.code].kind;
  }
}

/** Turns whatever was thrown into an AppError; anything foreign is a bug of ours that no layer translated. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new AppError("INVARIANT", `unexpected failure: ${maskSecrets(message)}`, {
    hint: "Report this with the log line; it is a defect of the product.",
    cause: error,
  });
}

/** What may be shown and stored of an error: code, message, hint, never a stack or a cause. */
export interface ErrorReport {
  code: ErrorCode;
  message: string;
  hint?: string;
}

/** The part of an error that reports, receipts and HTTP bodies carry. */
export function reportError(error: unknown): ErrorReport {
  const { code, message, hint } = toAppError(error);
  return hint === undefined ? { code, message } : { code, message, hint };
}

/** Exit code of the command line: 2 wrong use or policy, 1 anything else. */
export function exitCodeOf(error: AppError): 1 | 2 {
  return error.kind === "usage" || error.kind === "config" ? 2 : 1;
}
