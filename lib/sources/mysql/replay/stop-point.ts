import { AppError } from "../../../core/errors.ts";
import type { TransactionHead } from "../binlog/gtid-event.ts";
import { formatGtid, type Gtid, parseGtid } from "../gtid-set.ts";

/**
 * Up to where a log is replayed, always at a transaction's edge:
 * - `latest`: everything there is;
 * - `time`: up to and without the first transaction that was committed after it, by the clock of the server whose log it is.
 *   Where that clock was set back, what follows such a transaction stays out too, as it may build on it;
 * - `before`, `after`: up to a transaction, without it or with it.
 */
export type StopPoint =
  | { kind: "latest" }
  | { kind: "time"; micros: bigint }
  | { kind: "before"; gtid: Gtid }
  | { kind: "after"; gtid: Gtid };

/** What a stop point says of a transaction. `last` is replayed, and nothing after it. */
export type Verdict = "replay" | "last" | "stop";

const TIME = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,6}))?(Z|[+-]\d{2}:\d{2})$/;

/** Reads `latest`, `before:GTID`, `after:GTID` or a time with offset and up to six decimals. Throws USAGE. */
export function parseStopPoint(text: string): StopPoint {
  if (text === "latest") return { kind: "latest" };
  const edge = /^(before|after):(.*)$/s.exec(text);
  if (edge?.[1] === "before" || edge?.[1] === "after") return { kind: edge[1], gtid: parseGtid(edge[2] ?? "") };
  const [, day, clock, decimals = "", zone] = TIME.exec(text) ?? [];
  const seconds = clock?.length === 5 ? `${clock}:00` : clock;
  const millis = Date.parse(`${day}T${seconds}${zone}`);
  if (day === undefined || Number.isNaN(millis)) {
    throw new AppError("USAGE", `not an instant: found "${text}"`, {
      hint: 'Give "latest", "before:GTID", "after:GTID", or a time such as 2026-11-21T23:04:13.123456Z.',
    });
  }
  return { kind: "time", micros: BigInt(millis) * 1000n + BigInt(decimals.padEnd(6, "0")) };
}

export function formatStopPoint(stop: StopPoint): string {
  if (stop.kind === "latest") return "latest";
  if (stop.kind === "time") return formatMicros(stop.micros);
  return `${stop.kind}:${formatGtid(stop.gtid)}`;
}

/** ISO, UTC, with six decimals. */
export function formatMicros(micros: bigint): string {
  const whole = new Date(Number(micros / 1_000_000n) * 1000).toISOString().slice(0, 19);
  return `${whole}.${String(micros % 1_000_000n).padStart(6, "0")}Z`;
}

export function judge(stop: StopPoint, head: TransactionHead): Verdict {
  if (stop.kind === "latest") return "replay";
  if (stop.kind === "time") return head.immediateCommitMicros > stop.micros ? "stop" : "replay";
  const { gtid } = head;
  const isIt = gtid !== undefined && formatGtid(gtid) === formatGtid(stop.gtid);
  if (!isIt) return "replay";
  return stop.kind === "before" ? "stop" : "last";
}
