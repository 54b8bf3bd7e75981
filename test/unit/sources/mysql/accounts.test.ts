import { expect, test } from "vitest";
import { splitDefaultRole } from "../../../../lib/sources/mysql/accounts.ts";

test("takes default roles out of an account's text, to be given when the roles are granted", () => {
  const createSql =
    "CREATE USER `u`@`%` IDENTIFIED WITH 'caching_sha2_password' AS 0x24 DEFAULT ROLE `a b`@`%`,`c`@`h` REQUIRE NONE ACCOUNT UNLOCK";
  expect(splitDefaultRole(createSql)).toEqual({
    createSql: "CREATE USER `u`@`%` IDENTIFIED WITH 'caching_sha2_password' AS 0x24 REQUIRE NONE ACCOUNT UNLOCK",
    roles: "`a b`@`%`,`c`@`h`",
  });
});

test("leaves an account without default roles as it is", () => {
  const createSql = "CREATE USER `u`@`%` IDENTIFIED WITH 'x' AS 'DEFAULT ROLE' REQUIRE NONE PASSWORD EXPIRE DEFAULT";
  expect(splitDefaultRole(createSql)).toEqual({ createSql });
});
