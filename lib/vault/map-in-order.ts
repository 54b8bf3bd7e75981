/**
 * Runs `work` on the items of `source`, at most `depth` at the same time, and yields the results in the order of the items.
 * Takes no item from `source` before there is room for it. Ends only when all work has ended, also after a failure.
 */
export async function* mapInOrder<Item, Result>(
  source: AsyncIterable<Item> | Iterable<Item>,
  depth: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, void> {
  const running: Promise<Result>[] = [];
  try {
    for await (const item of source) {
      const result = work(item);
      // Its failure is seen when its turn comes; until then it must not count as unhandled.
      result.catch(() => {});
      running.push(result);
      if (running.length >= depth) yield await next(running);
    }
    while (running.length > 0) yield await next(running);
  } finally {
    await Promise.allSettled(running);
  }
}

function next<Result>(running: Promise<Result>[]): Promise<Result> {
  const [first] = running.splice(0, 1);
  return first ?? Promise.reject(new RangeError("no work is running"));
}
