/** Whole numbers from `first` to `last`, both inside. */
export interface Interval {
  readonly first: bigint;
  readonly last: bigint;
}

/** Sorted, with a hole between each interval and the next. */
export type Intervals = readonly Interval[];

/** Sorts intervals that may overlap or touch, and joins them. */
export function joinIntervals(intervals: Iterable<Interval>): Intervals {
  const sorted = [...intervals].toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const joined: Interval[] = [];
  for (const { first, last } of sorted) {
    const previous = joined.at(-1);
    if (previous === undefined || first > previous.last + 1n) joined.push({ first, last });
    else if (last > previous.last) joined[joined.length - 1] = { first: previous.first, last };
  }
  return joined;
}

/** What is in both. */
export function intersectIntervals(left: Intervals, right: Intervals): Intervals {
  const common: Interval[] = [];
  for (let l = 0, r = 0; ;) {
    const [a, b] = [left[l], right[r]];
    if (a === undefined || b === undefined) return common;
    const first = a.first > b.first ? a.first : b.first;
    const last = a.last < b.last ? a.last : b.last;
    if (first <= last) common.push({ first, last });
    if (a.last < b.last) l++;
    else r++;
  }
}

/** What is in `left` and not in `right`. */
export function subtractIntervals(left: Intervals, right: Intervals): Intervals {
  const rest: Interval[] = [];
  let r = 0;
  for (const { first, last } of left) {
    let start = first;
    for (; start <= last; r++) {
      const hole = right[r];
      if (hole === undefined || hole.first > last) break;
      if (hole.first > start) rest.push({ first: start, last: hole.first - 1n });
      if (hole.last >= start) start = hole.last + 1n;
      // A hole that ends beyond this interval also cuts the next one.
      if (hole.last > last) break;
    }
    if (start <= last) rest.push({ first: start, last });
  }
  return rest;
}

/** Whether the number is in one of them. */
export function intervalsContain(intervals: Intervals, number: bigint): boolean {
  let low = 0;
  let high = intervals.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { last } = intervals[middle] ?? { last: number };
    if (last < number) low = middle + 1;
    else high = middle;
  }
  const candidate = intervals[low];
  return candidate !== undefined && candidate.first <= number;
}

/** How many numbers they hold. */
export function countIntervals(intervals: Intervals): bigint {
  return intervals.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
}
