import { describe, expect, it } from "vitest";
import { AppError } from "../../../../lib/core/errors.ts";
import { toSourceError } from "../../../../lib/sources/mysql/driver-errors.ts";

const driverError = (fields: object) => Object.assign(new Error("Duplicate entry 'secret' for key"), fields);

describe("toSourceError", () => {
  it.each([
    [{ code: "ER_ACCESS_DENIED_ERROR", errno: 1045 }, "SOURCE_LOGIN_REFUSED"],
    [{ code: "ER_SPECIFIC_ACCESS_DENIED_ERROR", errno: 1227 }, "SOURCE_GRANT_MISSING"],
    [{ code: "ER_CON_COUNT_ERROR", errno: 1040 }, "SOURCE_UNREACHABLE"],
    [{ code: "ER_TABLE_DEF_CHANGED", errno: 1412 }, "SOURCE_DDL_DURING_BACKUP"],
    [{ code: "ECONNREFUSED", errno: -111 }, "SOURCE_UNREACHABLE"],
    [{ code: "ENOTFOUND" }, "SOURCE_UNREACHABLE"],
    [{ code: "PROTOCOL_CONNECTION_LOST" }, "SOURCE_CONNECTION_LOST"],
    [{ code: "SELF_SIGNED_CERT_IN_CHAIN" }, "SOURCE_TLS_FAILED"],
    [{ code: "ERR_TLS_CERT_ALTNAME_INVALID" }, "SOURCE_TLS_FAILED"],
    [{ code: "HANDSHAKE_NO_SSL_SUPPORT" }, "SOURCE_TLS_FAILED"],
    [{ code: "ER_DUP_ENTRY", errno: 1062 }, "SOURCE_QUERY_FAILED"],
  ])("turns %j into %s", (fields, code) => {
    const error = toSourceError(driverError(fields), "SELECT on db:3306");
    expect(error).toMatchObject({ code });
    expect(error.message).toMatch(/^SELECT on db:3306: /);
    expect(`${error.message} ${error.hint ?? ""}`).not.toContain("secret");
  });

  it("passes errors that already have a code", () => {
    const error = new AppError("SOURCE_PROTOCOL", "x");
    expect(toSourceError(error, "context")).toBe(error);
  });

  it("calls anything else a defect", () => {
    expect(toSourceError(new TypeError("x"), "context").code).toBe("INVARIANT");
  });
});
