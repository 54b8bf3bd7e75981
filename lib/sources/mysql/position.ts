import { AppError } from "../../core/errors.ts";

/** A place in the binlog: file name, and offset of the next event in bytes. */
export interface BinlogPosition {
  file: string;
  offset: number;
}

/** `binlog.000012:4711`. */
export function formatPosition({ file, offset }: BinlogPosition): string {
  return `${file}:${offset}`;
}

/** Everything that says where in its log a server stands: the `position` of a manifest. */
export interface SourcePosition extends BinlogPosition {
  /** Canonical text; empty when GTIDs are off. */
  gtidSet: string;
  serverUuid: string;
  /** `ON`, `OFF`, `ON_PERMISSIVE`, `OFF_PERMISSIVE`. */
  gtidMode: string;
}

/** Closed intervals of transaction numbers, in order, apart from each other by at least one. */
export type Interval = readonly [first: bigint, last: bigint];

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TAG = /^[a-z_][a-z0-9_]{0,31}$/;
const INTERVAL = /^(\d{1,19})(?:-(\d{1,19}))?$/;

/**
 * A set of GTIDs, tagged ones included: `uuid:1-5:7,uuid:tag:1-3`.
 * https://dev.mysql.com/doc/refman/9.7/en/replication-gtids-concepts.html
 */
export class GtidSet {
  /** By `uuid` or `uuid:tag`. */
  readonly #intervals: ReadonlyMap<string, readonly Interval[]>;

  private constructor(intervals: ReadonlyMap<string, readonly Interval[]>) {
    this.#intervals = intervals;
  }

  /** Reads the server's notation, in any order and with line breaks. Throws SOURCE_PROTOCOL. */
  static parse(text: string): GtidSet {
    const found = new Map<string, Interval[]>();
    for (const item of text.toLowerCase().split(",")) {
      const [uuid = "", ...parts] = item.trim().split(":");
      if (uuid === "" && parts.length === 0) continue;
      if (!UUID.test(uuid) || parts.length === 0) throw malformed();
      let source = uuid;
      for (const part of parts.map((value) => value.trim())) {
        if (TAG.test(part)) source = `${uuid}:${part}`;
        else found.set(source, [...(found.get(source) ?? []), readInterval(part)]);
      }
    }
    const sources = [...found.keys()].toSorted();
    return new GtidSet(new Map(sources.map((source) => [source, merge(found.get(source) ?? [])])));
  }

  get isEmpty(): boolean {
    return this.#intervals.size === 0;
  }

  /** How many transactions are in the set. */
  get size(): bigint {
    let size = 0n;
    for (const intervals of this.#intervals.values()) {
      for (const [first, last] of intervals) size += last - first + 1n;
    }
    return size;
  }

  /** Canonical: sources in order, one entry a source and tag, intervals merged; equal sets give equal texts. */
  toString(): string {
    const entries = [...this.#intervals].map(([source, intervals]) => {
      const ranges = intervals.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
      return [source, ...ranges].join(":");
    });
    return entries.join(",");
  }
}

function readInterval(text: string): Interval {
  const [, first, last = first] = INTERVAL.exec(text) ?? [];
  if (first === undefined || last === undefined) throw malformed();
  const interval: Interval = [BigInt(first), BigInt(last)];
  if (interval[0] < 1n || interval[1] < interval[0]) throw malformed();
  return interval;
}

function merge(intervals: Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const interval of intervals.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
    const previous = merged.at(-1);
    if (previous === undefined || interval[0] > previous[1] + 1n) merged.push(interval);
    else if (interval[1] > previous[1]) merged[merged.length - 1] = [previous[0], interval[1]];
  }
  return merged;
}

function malformed(): AppError {
  return new AppError("SOURCE_PROTOCOL", "not a GTID set: expected uuid:interval[:interval…], separated by commas");
}
