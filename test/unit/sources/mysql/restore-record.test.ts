import { expect, test } from "vitest";
import { readStep, recordSchema, stepOf } from "../../../../lib/sources/mysql/restore-record.ts";

const identity = {
  backupId: "20261121T230413123Z-9f3a5c1e",
  rename: new Map([
    ["a", "b"],
    ["c", "d"],
  ]),
  only: ["x", "y"],
  users: false,
};

test("names a record by backup, names and selection, whatever their order", () => {
  const same = {
    ...identity,
    rename: new Map([
      ["c", "d"],
      ["a", "b"],
    ]),
    only: ["y", "x"],
  };
  expect(recordSchema(identity)).toMatch(/^resguardo_restore_[0-9a-f]{16}$/);
  expect(recordSchema(same)).toBe(recordSchema(identity));
});

test.each([
  { ...identity, backupId: "20261121T230413123Z-00000000" },
  {
    ...identity,
    rename: new Map([
      ["a", "c"],
      ["b", "d"],
    ]),
  },
  { ...identity, only: ["x"] },
  { ...identity, only: undefined },
  { ...identity, users: true },
])("gives another restore another record (%#)", (other) => {
  const { only, ...rest } = other;
  expect(recordSchema(only === undefined ? rest : { ...rest, only })).not.toBe(recordSchema(identity));
});

test("reads back the names in a step, whatever they hold", () => {
  expect(readStep(stepOf.made("view", 's"`\\', "t,日"))).toEqual(["view", 's"`\\', "t,日"]);
});
