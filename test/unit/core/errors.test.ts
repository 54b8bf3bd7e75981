import { describe, expect, it } from "vitest";
import { ERROR_CODES, type ErrorCode } from "../../../lib/core/error-codes.ts";
import { AppError, exitCodeOf, reportError, toAppError } from "../../../lib/core/errors.ts";

const CODES = Object.keys(ERROR_CODES) as ErrorCode[];

describe("AppError", () => {
  it("keeps code, message, hint and cause", () => {
    const cause = new Error("socket closed");
    const error = new AppError("SOURCE_UNREACHABLE", "shop: no answer", { hint: "Start the server.", cause });
    expect(error).toMatchObject({
      code: "SOURCE_UNREACHABLE",
      message: "shop: no answer",
      hint: "Start the server.",
      cause,
    });
    expect(error.kind).toBe("source");
  });

  it("takes from the table whether a retry may help", () => {
    expect(new AppError("STORAGE_UNAVAILABLE", "x").retryable).toBe(true);
    expect(new AppError("STORAGE_REFUSED", "x").retryable).toBe(false);
  });

  it("lets one occurrence be worth a retry, or not", () => {
    expect(new AppError("STORAGE_REFUSED", "x", { retryable: true }).retryable).toBe(true);
    expect(new AppError("STORAGE_UNAVAILABLE", "x", { retryable: false }).retryable).toBe(false);
  });
});

describe("the table of codes", () => {
  it.each(CODES)("describes %s in one line without a final stop", (code) => {
    expect(code).toMatch(/^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/);
    expect(ERROR_CODES[code].summary).toMatch(/^\S[^\n|]*[^.\s]$/);
  });

  it("never calls wrong use or a wrong policy worth a retry", () => {
    const retried = CODES.filter((code) => new AppError(code, "x").retryable).map((code) => ERROR_CODES[code].kind);
    expect(retried).not.toContain("usage");
    expect(retried).not.toContain("config");
  });
});

describe("toAppError", () => {
  it("returns an AppError as it is", () => {
    const error = new AppError("USAGE", "x");
    expect(toAppError(error)).toBe(error);
  });

  it.each([new TypeError("x is undefined"), "x is undefined"])(
    "calls anything else a bug of the product: %s",
    (thrown) => {
      const error = toAppError(thrown);
      expect(error).toMatchObject({ code: "INVARIANT", message: "unexpected failure: x is undefined", cause: thrown });
      expect(error.retryable).toBe(false);
    },
  );

  it("masks credentials in foreign messages", () => {
    expect(toAppError(new Error("connect mysql://root:hunter2@db/ failed")).message).not.toContain("hunter2");
  });
});

describe("reportError", () => {
  it("shows code, message and hint, and neither cause nor stack", () => {
    const error = new AppError("KEY_INVALID", "no key", { hint: "Make one.", cause: new Error("secret detail") });
    expect(reportError(error)).toEqual({ code: "KEY_INVALID", message: "no key", hint: "Make one." });
  });

  it("leaves the hint out where there is none", () => {
    expect(reportError(new AppError("KEY_INVALID", "no key"))).toEqual({ code: "KEY_INVALID", message: "no key" });
  });
});

describe("exitCodeOf", () => {
  it("is 2 for wrong use and a wrong policy, and 1 for what failed", () => {
    for (const code of CODES) {
      const expected = ["usage", "config"].includes(ERROR_CODES[code].kind) ? 2 : 1;
      expect(exitCodeOf(new AppError(code, "x")), code).toBe(expected);
    }
  });
});
