import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { mapInOrder } from "../../../lib/vault/map-in-order.ts";

describe("mapInOrder", () => {
  it("keeps the order when later work ends first", async () => {
    const gates = [1, 2, 3].map(() => Promise.withResolvers<void>());
    const results = Array.fromAsync(
      mapInOrder([0, 1, 2], 3, async (item) => {
        await gates[item]?.promise;
        return item;
      }),
    );
    gates.toReversed().forEach((gate) => gate.resolve());
    expect(await results).toEqual([0, 1, 2]);
  });

  it("never runs more than the given number at once", async () => {
    let running = 0;
    let most = 0;
    const work = async (item: number) => {
      most = Math.max(most, ++running);
      await setImmediate();
      running--;
      return item;
    };
    const items = Array.from({ length: 20 }, (_, index) => index);
    expect(await Array.fromAsync(mapInOrder(items, 3, work))).toEqual(items);
    expect(most).toBe(3);
  });

  it("throws a failure in its turn, after all work has ended", async () => {
    const ended: number[] = [];
    const work = async (item: number) => {
      if (item === 1) throw new RangeError("item 1");
      for (let turn = 0; turn < 5 * item; turn++) await setImmediate();
      ended.push(item);
      return item;
    };
    const seen: number[] = [];
    const run = async () => {
      for await (const result of mapInOrder([0, 1, 2], 3, work)) seen.push(result);
    };
    await expect(run()).rejects.toThrow("item 1");
    expect(seen).toEqual([0]);
    expect(ended).toEqual([0, 2]);
  });
});
