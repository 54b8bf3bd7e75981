import { describe, expect, it } from "vitest";
import { formatPosition, GtidSet } from "../../../../lib/sources/mysql/position.ts";

const A = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const B = "ccaa8d25-e602-11f1-ab45-02fc00000001";

describe("GtidSet", () => {
  it("writes equal sets alike, whatever the order, case, line breaks and cuts of their text", () => {
    const text = `${B}:5-7:1-4,\n${A.toUpperCase()}:9:3`;
    expect(GtidSet.parse(text).toString()).toBe(`${A}:3:9,${B}:1-7`);
  });

  it("keeps tags apart, in both notations", () => {
    const apart = GtidSet.parse(`${A}:1-2,${A}:nightly:1-5`);
    const together = GtidSet.parse(`${A}:1-2:nightly:1-3:4-5`);
    expect(apart.toString()).toBe(`${A}:1-2,${A}:nightly:1-5`);
    expect(together.toString()).toBe(apart.toString());
  });

  it("counts transactions beyond 2^53", () => {
    expect(GtidSet.parse(`${A}:1-9223372036854775806,${B}:1`).size).toBe(9223372036854775807n);
    expect(GtidSet.parse("").isEmpty).toBe(true);
    expect(GtidSet.parse("").size).toBe(0n);
  });

  it.each(["x", A, `${A}:`, `${A}:0`, `${A}:5-4`, `${A}:1-`, `${A}:-1`, `${A}:1 2`, `${A}:ta-g:1`, `${A.slice(1)}:1`])(
    "refuses %j",
    (text) => {
      expect(() => GtidSet.parse(text)).toThrow(expect.objectContaining({ code: "SOURCE_PROTOCOL" }));
    },
  );
});

describe("formatPosition", () => {
  it("writes file and offset", () => {
    expect(formatPosition({ file: "binlog.000012", offset: 4711 })).toBe("binlog.000012:4711");
  });
});
