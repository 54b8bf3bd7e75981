import { AppError } from "../../core/errors.ts";
import type { SegmentContent } from "../../vault/segment-manifest.ts";
import type { ValidSegment } from "../../vault/segment-head.ts";
import type { ChangesQuery, ChangesReport, MinuteChanges, TransactionChanges } from "../changes.ts";
import { isTransactionHead, readTransactionHead, type TransactionHead } from "./binlog/gtid-event.ts";
import { heldAfter, logPositionSchema } from "./binlog/log-position.ts";
import { type ReadSegmentData, readLog } from "./binlog/log-stream.ts";
import { formatMicros } from "./binlog/server-log.ts";
import { formatGtid, type Gtid, GtidCollector, parseGtid } from "./gtid-set.ts";
import { parseStopPoint } from "./replay/stop-point.ts";
import { type IsWanted, type Shown, TransactionCounter } from "./transaction-changes.ts";

const LARGEST = 10;
const TABLE_FIELDS = ["inserted", "updated", "deleted", "ddl", "statements"] as const;

/** Whether a transaction stands in the log up to the end of that segment, or before its chain. Throws USAGE. */
export function holdsTransaction({ position }: SegmentContent, gtid: string): boolean {
  return heldAfter(logPositionSchema.parse(position)).contains(parseGtid(gtid));
}

/** What happened in segments that follow each other, oldest first. Throws USAGE, and what reading the data throws. */
export async function readMysqlChanges(
  query: ChangesQuery,
  segments: readonly ValidSegment[],
  read: ReadSegmentData,
): Promise<ChangesReport> {
  const isChosen = chooser(query);
  const isWanted = wanted(query);
  const summary = new Summary(query);
  const shown = shownOf(query);
  let counter: TransactionCounter | undefined;
  for await (const { events } of readLog(segments, read)) {
    for (const event of events) {
      if (isTransactionHead(event.type)) {
        summary.add(counter);
        const head = readTransactionHead(event);
        counter = isChosen(head) ? new TransactionCounter(head, isWanted, shown) : undefined;
      }
      await counter?.take(event);
    }
  }
  summary.add(counter);
  return summary.report();
}

function chooser({ from, to, at }: ChangesQuery): (head: TransactionHead) => boolean {
  const first = from === undefined ? 0n : microsOf(from);
  const last = to === undefined ? undefined : microsOf(to);
  const gtid = at === undefined ? undefined : formatGtid(parseGtid(at));
  return (head) => {
    if (gtid !== undefined && (head.gtid === undefined || formatGtid(head.gtid) !== gtid)) return false;
    const micros = head.immediateCommitMicros;
    return micros >= first && (last === undefined || micros <= last);
  };
}

function microsOf(text: string): bigint {
  const stop = parseStopPoint(text);
  if (stop.kind === "time") return stop.micros;
  throw new AppError("USAGE", `not a time: found "${text}"`, {
    hint: "Give a time such as 2026-11-21T23:04:13.123456Z.",
  });
}

function wanted({ tables, kinds }: ChangesQuery): IsWanted {
  const names = new Set(tables);
  return (table, kind) => {
    if (kinds.length > 0 && (kind === "statement" || !kinds.includes(kind))) return false;
    const schema = table.split(".", 1)[0] ?? "";
    return names.size === 0 || names.has(table) || names.has(schema);
  };
}

/** Values are of one transaction only: a stretch of time has no end of them. */
function shownOf({ values, rows, at }: ChangesQuery): Shown {
  return { rows: values && at !== undefined ? rows : 0, texts: values ? rows : 0 };
}

interface Minute {
  counts: Omit<MinuteChanges, "gtids">;
  collector: GtidCollector;
}

class Summary {
  readonly #query: ChangesQuery;
  readonly #minutes = new Map<string, Minute>();
  #largest: TransactionCounter[] = [];
  #transactions = 0;

  constructor(query: ChangesQuery) {
    this.#query = query;
  }

  add(counter: TransactionCounter | undefined): void {
    if (counter === undefined || counter.tables.size === 0) return;
    this.#transactions++;
    for (const changes of counter.tables.values()) {
      const { counts, collector } = this.#minute(committedAt(counter).slice(0, 16), changes.table);
      for (const field of TABLE_FIELDS) counts[field] += changes[field];
      counts.transactions++;
      if (counter.head.gtid !== undefined) collector.add(counter.head.gtid);
    }
    const smallest = this.#largest.at(-1);
    if (this.#largest.length === LARGEST && smallest !== undefined && counter.bytes <= smallest.bytes) return;
    this.#largest = [...this.#largest, counter].toSorted((a, b) => b.bytes - a.bytes).slice(0, LARGEST);
  }

  report(): ChangesReport {
    const minutes = [...this.#minutes].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return {
      transactions: this.#transactions,
      minutes: minutes.map(([, { counts, collector }]) => ({ ...counts, gtids: collector.toSet().toString() })),
      largest: this.#largest.map((counter) => describe(counter, this.#query)),
    };
  }

  #minute(minute: string, table: string): Minute {
    const key = `${minute} ${table}`;
    const known = this.#minutes.get(key);
    if (known !== undefined) return known;
    const zero = { inserted: 0, updated: 0, deleted: 0, ddl: 0, statements: 0 };
    const counts = { minute: `${minute}:00Z`, table, ...zero, transactions: 0 };
    const made = { counts, collector: new GtidCollector() };
    this.#minutes.set(key, made);
    return made;
  }
}

function describe(counter: TransactionCounter, { values, at }: ChangesQuery): TransactionChanges {
  const { head, bytes, tables, texts, textCount, rows, rowCount } = counter;
  return {
    gtid: gtidText(head.gtid),
    committedAt: committedAt(counter),
    bytes,
    tables: [...tables.values()],
    ...(values && { texts, textsNotShown: textCount - texts.length }),
    ...(values && at !== undefined && { rows, rowsNotShown: rowCount - rows.length }),
  };
}

const gtidText = (gtid: Gtid | undefined): string | null => (gtid === undefined ? null : formatGtid(gtid));

const committedAt = ({ head }: TransactionCounter): string => formatMicros(head.immediateCommitMicros);
