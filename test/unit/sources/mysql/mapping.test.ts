import { describe, expect, test } from "vitest";
import { assertDistinct, findByFullName, readMapping } from "../../../../lib/sources/mysql/mapping.ts";
import type { SchemaModel } from "../../../../lib/sources/mysql/schema-model.ts";

const names = (schema: string, ...tables: string[]) => tables.map((name) => ({ schema, name }));
const model = {
  schemas: [{ name: "shop" }, { name: "a.b" }, { name: "a" }],
  tables: [...names("shop", "orders", "items"), ...names("a.b", "c"), ...names("a", "b.c", "d.e")],
  views: [],
} as unknown as SchemaModel;

describe("readMapping", () => {
  test("maps schemas and the tables in them", () => {
    const mapping = readMapping(model, new Map([["shop", "shop_before"]]));
    expect(mapping.table("shop", "orders")).toEqual({ schema: "shop_before", name: "orders" });
    expect(mapping.table("a", "b.c")).toEqual({ schema: "a", name: "b.c" });
    expect([...mapping.renamedSchemas]).toEqual(["shop"]);
  });

  test("maps a table within its schema, or into another one", () => {
    const mapping = readMapping(
      model,
      new Map([
        ["shop.orders", "old"],
        ["a.d.e", "archive.d.e"],
      ]),
    );
    expect(mapping.table("shop", "orders")).toEqual({ schema: "shop", name: "old" });
    expect(mapping.table("a", "d.e")).toEqual({ schema: "archive", name: "d.e" });
    expect(mapping.renamedSchemas.size).toBe(0);
  });

  test.each(["nothing", "shop.nothing", "a.b.c"])("refuses %s, which is no one object of the backup", (name) => {
    expect(() => readMapping(model, new Map([[name, "x"]]))).toThrow(
      expect.objectContaining({ code: "TABLE_UNKNOWN" }),
    );
  });

  test.each(["", "mysql", "SYS", "information_schema", "x".repeat(65), "ends with a blank ", "nul\0"])(
    "refuses the new name %j",
    (name) => {
      expect(() => readMapping(model, new Map([["shop", name]]))).toThrow(expect.objectContaining({ code: "USAGE" }));
    },
  );
});

test("finds an object by its whole name, dots and all", () => {
  expect(findByFullName(model.tables, "a.d.e")).toEqual({ schema: "a", name: "d.e" });
});

test("refuses two objects that would get one name", () => {
  const swapped = readMapping(model, new Map([["shop.orders", "items"]]));
  expect(() => assertDistinct(swapped, ["shop"], names("shop", "orders", "items"))).toThrow(
    expect.objectContaining({ code: "USAGE" }),
  );
  expect(() => assertDistinct(swapped, ["shop"], names("shop", "orders"))).not.toThrow();
});
