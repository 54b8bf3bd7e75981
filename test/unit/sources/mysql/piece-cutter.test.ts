import { describe, expect, test } from "vitest";
import { PieceCutter } from "../../../../lib/sources/mysql/piece-cutter.ts";

async function* inBuffers(text: string, sizes: number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let index = 0; at < text.length; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    yield Buffer.from(text.slice(at, at + size));
    at += size;
  }
}

async function cut(text: string, limit: number, sizes: number[]): Promise<string[]> {
  const cutter = new PieceCutter(inBuffers(text, sizes), limit);
  const pieces: string[] = [];
  while (await cutter.hasMore()) {
    let piece = "";
    for await (const buffer of cutter.piece()) piece += buffer.toString();
    pieces.push(piece);
  }
  return pieces;
}

describe("PieceCutter", () => {
  const text = "aa\nbbbb\nc\n\ndddddddddd\ne\n";

  test.each([[[1]], [[3]], [[7, 2]], [[100]]])("cuts at the same lines whatever the buffers (%j)", async (sizes) => {
    expect(await cut(text, 5, sizes)).toEqual(["aa\nbbbb\n", "c\n\ndddddddddd\n", "e\n"]);
  });

  test("ends a piece with the line that reaches the limit exactly", async () => {
    expect(await cut("aaaa\nbbbb\n", 5, [4])).toEqual(["aaaa\n", "bbbb\n"]);
  });

  test("gives nothing for nothing, and one piece for less than the limit", async () => {
    expect(await cut("", 5, [1])).toEqual([]);
    expect(await cut("a\nb\n", 100, [1])).toEqual(["a\nb\n"]);
  });

  test("lets a line of any length through", async () => {
    const long = `${"x".repeat(1000)}\n`;
    expect(await cut(`${long}y\n`, 10, [64])).toEqual([long, "y\n"]);
  });

  test("reads the source to its own end, where a damaged blob fails", async () => {
    const damaged = async function* damaged(): AsyncGenerator<Buffer> {
      yield Buffer.from("a\n");
      throw new Error("damaged");
    };
    const cutter = new PieceCutter(damaged(), 100);
    await expect(Array.fromAsync(cutter.piece())).rejects.toThrow("damaged");
  });
});
