import { expect, test } from "vitest";
import { toLiteral } from "../../../../lib/sources/mysql/insert-rows.ts";

test.each([
  ["\\N", "NULL"],
  ["", "_binary''"],
  ["\\\\N", "_binary'\\\\N'"],
  ["it's", "_binary'it\\'s'"],
  ["12594", "_binary'12594'"],
  ["a\\tb\\n\\0\\\\", "_binary'a\\tb\\n\\0\\\\'"],
  ["\xe9\\t\\0\\\\", "_binary x'e909005c'"],
  ["\r", "_binary x'0d'"],
])("the field %j becomes %s", (field, literal) => {
  expect(toLiteral(field)).toBe(literal);
});
