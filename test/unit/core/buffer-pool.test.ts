import { describe, expect, it } from "vitest";
import { BufferPool } from "../../../lib/core/buffer-pool.ts";

const text = (value: string) => Buffer.from(value);

describe("BufferPool", () => {
  it("uses the memory of a recycled piece again, and no other", () => {
    const pool = new BufferPool(64);
    const [first, second] = [pool.copy(text("first")), pool.copy(text("second"))];
    pool.recycle(first);
    const third = pool.copy(text("third, longer"));
    expect(third.buffer).toBe(first.buffer);
    expect(third.toString()).toBe("third, longer");
    expect(second.toString()).toBe("second");
    expect(pool.copy(text("x")).buffer).not.toBe(second.buffer);
  });

  it("takes a piece back once, and nothing that it did not make", () => {
    const pool = new BufferPool(64);
    const piece = pool.copy(text("a"));
    pool.recycle(piece);
    pool.recycle(piece);
    pool.recycle(piece.subarray(0));
    pool.recycle(Buffer.alloc(64));
    const [one, other] = [pool.copy(text("b")), pool.copy(text("c"))];
    expect(one.buffer).toBe(piece.buffer);
    expect(other.buffer).not.toBe(piece.buffer);
    expect(one.toString()).toBe("b");
  });
});
