import { AppError } from "../../core/errors.ts";
import {
  countIntervals,
  type Interval,
  type Intervals,
  intersectIntervals,
  intervalsContain,
  joinIntervals,
  subtractIntervals,
} from "./intervals.ts";

/*
 * GTID sets as values: https://dev.mysql.com/doc/refman/9.7/en/replication-gtids-concepts.html
 * Transactions are numbered apart for each server's UUID, and since 8.3 for each UUID and tag.
 */

/** One transaction's identifier. */
export interface Gtid {
  /** Lower case, with hyphens. */
  uuid: string;
  /** Lower case; empty for a GTID without tag. */
  tag: string;
  number: bigint;
}

/** The numbers of one UUID and tag. */
export interface GtidRange {
  uuid: string;
  tag: string;
  intervals: Intervals;
}

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/;
const TAG = /^[a-z_][a-z0-9_]{0,31}$/;
const INTERVAL = /^(\d{1,19})(?:-(\d{1,19}))?$/;
const MAX_NUMBER = (1n << 63n) - 2n;

/** An immutable set of GTIDs. Two equal sets have the same text, so `toString()` may be compared. */
export class GtidSet {
  // Not a static field: the compiler turns one that makes an instance of its own class into code that fails when it loads.
  static get empty(): GtidSet {
    return EMPTY;
  }

  // By `uuid` or `uuid:tag`, sorted; no empty entries.
  readonly #ranges: ReadonlyMap<string, GtidRange>;

  private constructor(ranges: ReadonlyMap<string, GtidRange>) {
    this.#ranges = ranges;
  }

  /** Reads what a server prints and takes: any order, overlaps, white space. Throws SOURCE_POSITION_UNREADABLE. */
  static parse(text: string): GtidSet {
    return GtidSet.of(parseRanges(text));
  }

  /** The set of all these ranges, which may overlap. */
  static of(ranges: Iterable<{ uuid: string; tag: string; intervals: Iterable<Interval> }>): GtidSet {
    const byKey = new Map<string, { uuid: string; tag: string; intervals: Interval[] }>();
    for (const { uuid, tag, intervals } of ranges) {
      const key = keyOf(uuid, tag);
      const found = byKey.get(key) ?? { uuid, tag, intervals: [] };
      for (const interval of intervals) found.intervals.push(interval);
      byKey.set(key, found);
    }
    return GtidSet.fromRanges(
      [...byKey.values()].map((range) => ({ ...range, intervals: joinIntervals(range.intervals) })),
    );
  }

  get isEmpty(): boolean {
    return this.#ranges.size === 0;
  }

  /** How many transactions it holds. */
  get size(): bigint {
    return this.ranges().reduce((sum, { intervals }) => sum + countIntervals(intervals), 0n);
  }

  /** In the order of the text. */
  ranges(): GtidRange[] {
    return [...this.#ranges.values()];
  }

  /** Whether it holds a transaction, or each one of another set. */
  contains(other: Gtid | GtidSet): boolean {
    if (other instanceof GtidSet) return other.minus(this).isEmpty;
    const range = this.#ranges.get(keyOf(other.uuid, other.tag));
    return range !== undefined && intervalsContain(range.intervals, other.number);
  }

  equals(other: GtidSet): boolean {
    return this.toString() === other.toString();
  }

  union(other: GtidSet): GtidSet {
    if (other.isEmpty) return this;
    if (this.isEmpty) return other;
    return GtidSet.of([...this.ranges(), ...other.ranges()]);
  }

  /** What is in this set and not in the other. */
  minus(other: GtidSet): GtidSet {
    return this.#combine(other, subtractIntervals);
  }

  intersect(other: GtidSet): GtidSet {
    return this.#combine(other, intersectIntervals);
  }

  /** With one more transaction. For many, use `GtidCollector`. */
  with(gtid: Gtid): GtidSet {
    return this.contains(gtid) ? this : this.union(GtidSet.fromRanges([rangeOf(gtid)]));
  }

  /** As the server prints it, on one line: `uuid:1-5:7:tag:1-3,uuid:1`. */
  toString(): string {
    const parts: string[] = [];
    let uuid = "";
    for (const range of this.#ranges.values()) {
      const text = `${range.tag === "" ? "" : `:${range.tag}`}${formatIntervals(range.intervals)}`;
      if (range.uuid === uuid) parts[parts.length - 1] += text;
      else parts.push(`${range.uuid}${text}`);
      uuid = range.uuid;
    }
    return parts.join(",");
  }

  toJSON(): string {
    return this.toString();
  }

  #combine(other: GtidSet, operation: (left: Intervals, right: Intervals) => Intervals): GtidSet {
    return GtidSet.fromRanges(
      this.ranges().map((range) => ({
        ...range,
        intervals: operation(range.intervals, other.#ranges.get(keyOf(range.uuid, range.tag))?.intervals ?? []),
      })),
    );
  }

  private static fromRanges(ranges: readonly GtidRange[]): GtidSet {
    const kept = ranges.filter(({ intervals }) => intervals.length > 0);
    const sorted = kept.toSorted((a, b) => compare(a.uuid, b.uuid) || compare(a.tag, b.tag));
    return new GtidSet(new Map(sorted.map((range) => [keyOf(range.uuid, range.tag), range])));
  }
}

const EMPTY = GtidSet.of([]);

interface CollectedRange {
  uuid: string;
  tag: string;
  intervals: { first: bigint; last: bigint }[];
}

/** Collects the GTIDs of a log, which mostly come in order, without a new set for each. */
export class GtidCollector {
  readonly #ranges = new Map<string, CollectedRange>();
  #latest: CollectedRange | undefined;

  add({ uuid, tag, number }: Gtid): void {
    const latest = this.#latest;
    const range = latest?.uuid === uuid && latest.tag === tag ? latest : this.#rangeOf(uuid, tag);
    this.#latest = range;
    const last = range.intervals.at(-1);
    if (last !== undefined && last.last + 1n === number) last.last = number;
    else range.intervals.push({ first: number, last: number });
  }

  toSet(): GtidSet {
    return GtidSet.of(this.#ranges.values());
  }

  #rangeOf(uuid: string, tag: string): CollectedRange {
    const key = keyOf(uuid, tag);
    const range = this.#ranges.get(key) ?? { uuid, tag, intervals: [] };
    this.#ranges.set(key, range);
    return range;
  }
}

/** `uuid:7` or `uuid:tag:7`. */
export function formatGtid({ uuid, tag, number }: Gtid): string {
  return `${keyOf(uuid, tag)}:${number}`;
}

/** Reads one GTID. Throws USAGE: it is what a person typed. */
export function parseGtid(text: string): Gtid {
  const match = /^([0-9a-fA-F-]{32,36})(?::([A-Za-z_][A-Za-z0-9_]{0,31}))?:(\d{1,19})$/.exec(text.trim());
  const uuid = match?.[1]?.toLowerCase() ?? "";
  const number = BigInt(match?.[3] ?? 0);
  if (!UUID.test(uuid) || number < 1n || number > MAX_NUMBER) {
    throw new AppError("USAGE", `not a GTID: found "${text}", expected for instance "3e11fa47-…-9e28:23"`, {
      hint: "Give the GTID as the server prints it: UUID, colon, number, or UUID, colon, tag, colon, number.",
    });
  }
  return { uuid: hyphenated(uuid), tag: match?.[2]?.toLowerCase() ?? "", number };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const keyOf = (uuid: string, tag: string): string => (tag === "" ? uuid : `${uuid}:${tag}`);

const rangeOf = ({ uuid, tag, number }: Gtid): GtidRange => ({
  uuid,
  tag,
  intervals: [{ first: number, last: number }],
});

function formatIntervals(intervals: Intervals): string {
  return intervals.map(({ first, last }) => (first === last ? `:${first}` : `:${first}-${last}`)).join("");
}

function* parseRanges(text: string): Generator<{ uuid: string; tag: string; intervals: Interval[] }> {
  for (const part of text.replaceAll(/\s/g, "").toLowerCase().split(",")) {
    if (part === "") continue;
    const [uuid = "", ...fields] = part.split(":");
    if (!UUID.test(uuid) || fields.length === 0) throw unreadable(text);
    let tag = "";
    for (const field of fields) {
      if (TAG.test(field)) tag = field;
      else yield { uuid: hyphenated(uuid), tag, intervals: [parseInterval(field, text)] };
    }
  }
}

function parseInterval(field: string, text: string): Interval {
  const match = INTERVAL.exec(field);
  const first = BigInt(match?.[1] ?? 0);
  const last = BigInt(match?.[2] ?? first);
  if (first < 1n || last < first || last > MAX_NUMBER) throw unreadable(text);
  return { first, last };
}

function hyphenated(uuid: string): string {
  return uuid.replaceAll("-", "").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function unreadable(text: string): AppError {
  return new AppError("SOURCE_POSITION_UNREADABLE", `not a GTID set: found "${text.slice(0, 200)}"`, {
    hint: "Expected what the server prints as gtid_executed, such as UUID:1-5:7, for each server's UUID.",
  });
}
