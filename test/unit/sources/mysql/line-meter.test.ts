import { describe, expect, it } from "vitest";
import { LineMeter } from "../../../../lib/sources/mysql/line-meter.ts";
import { seededRandom } from "../../../support/random.ts";
import { xxh64 } from "../../../support/xxh64.ts";

function measured(pieces: readonly Buffer[]) {
  const meter = new LineMeter();
  for (const piece of pieces) meter.push(piece);
  return { lines: meter.lines, sum: meter.sum, openBytes: meter.openBytes };
}

function plainly(text: Buffer) {
  const lines = text.toString("latin1").split("\n");
  const open = lines.pop() ?? "";
  const sum = lines.reduce((total, line) => total + xxh64(Buffer.from(line, "latin1")), 0n);
  return { lines: lines.length, sum: BigInt.asUintN(64, sum), openBytes: open.length };
}

function cutAt(text: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.toSorted((a, b) => a - b), text.length];
  return ends.map((end, index) => text.subarray(index === 0 ? 0 : ends[index - 1], end));
}

describe("the line meter", () => {
  it("counts no line in nothing, and an empty line in a line end", () => {
    expect(measured([])).toEqual({ lines: 0, sum: 0n, openBytes: 0 });
    expect(measured([Buffer.from("\n")])).toEqual({ lines: 1, sum: xxh64(Buffer.alloc(0)), openBytes: 0 });
  });

  it("tells what is behind the last line end, and hashes it into nothing", () => {
    expect(measured([Buffer.from("one\ntwo")])).toEqual({ lines: 1, sum: xxh64(Buffer.from("one")), openBytes: 3 });
  });

  it("agrees with a plain implementation on lines of every length around a stripe, cut at every place", () => {
    const text = Buffer.from(Array.from({ length: 70 }, (_, length) => `${"x".repeat(length)}\n`).join(""));
    const expected = plainly(text);
    for (let place = 0; place <= text.length; place += 7) expect(measured(cutAt(text, [place]))).toEqual(expected);
  });

  it("agrees with it on random bytes cut at random places, and on lines longer than its input", () => {
    const random = seededRandom(42);
    const bytes = Buffer.from(Array.from({ length: 20_000 }, () => Math.floor(random() * 256)));
    const places = Array.from({ length: 40 }, () => Math.floor(random() * bytes.length));
    expect(measured(cutAt(bytes, places))).toEqual(plainly(bytes));
    const long = Buffer.concat([Buffer.alloc(2_500_000, "y"), Buffer.from("\nshort\n")]);
    expect(measured(cutAt(long, [1, 33, 1_048_576, 2_100_000]))).toEqual(plainly(long));
  });
});
