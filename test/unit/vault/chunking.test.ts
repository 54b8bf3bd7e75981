import { describe, expect, it } from "vitest";
import { cutIntoChunks } from "../../../lib/vault/chunking.ts";
import { pieces } from "../../support/vault-fixture.ts";

const KIB = 1024;

async function lengths(...sizes: number[]): Promise<number[]> {
  const chunks = await Array.fromAsync(cutIntoChunks(pieces(...sizes.map((size) => Buffer.alloc(size)))));
  return chunks.map(({ length }) => length);
}

describe("cutIntoChunks", () => {
  it("passes long pieces on without copying them", async () => {
    const piece = Buffer.alloc(256 * KIB);
    const [chunk] = await Array.fromAsync(
      cutIntoChunks(
        (async function* () {
          yield piece;
        })(),
      ),
    );
    expect(chunk?.buffer).toBe(piece.buffer);
  });

  it("splits pieces that are longer than a chunk may be", async () => {
    expect(await lengths(9 * 1024 * KIB)).toEqual([4 * 1024 * KIB, 4 * 1024 * KIB, 1024 * KIB]);
  });

  it("gathers short pieces up to a mebibyte, and keeps their order before a long one", async () => {
    expect(await lengths(...Array.from({ length: 11 }, () => 100 * KIB))).toEqual([1100 * KIB]);
    expect(await lengths(10, 20, 300 * KIB, 5)).toEqual([30, 300 * KIB, 5]);
  });

  it("yields no empty chunk", async () => {
    expect(await lengths()).toEqual([]);
    expect(await lengths(0, 0)).toEqual([]);
  });
});
