import type { RowMeasure } from "../engine.ts";
import type { ValidSegment } from "../../vault/segment-head.ts";
import { isTransactionHead } from "./binlog/gtid-event.ts";
import { logPositionOf, type ReadSegmentData, readLog } from "./binlog/log-stream.ts";
import { formatFingerprint } from "./fingerprint.ts";
import { LineMeter } from "./line-meter.ts";
import { checkedEvents } from "./replay/checked-events.ts";

/** Measures rows as they lie in a backup. */
export function measureMysqlRows(): RowMeasure {
  const meter = new LineMeter();
  return {
    push: (piece) => meter.push(piece),
    measured: () => ({ rows: meter.lines, fingerprint: formatFingerprint(meter.sum), openBytes: meter.openBytes }),
  };
}

/**
 * Reads every event of a segment, with its checksum, and counts the transactions. Undefined for one that starts within a
 * transaction: its first bytes mean nothing without the segment before. Throws SOURCE_PROTOCOL, and what reading throws.
 */
export async function countMysqlTransactions(
  segment: ValidSegment,
  read: ReadSegmentData,
): Promise<number | undefined> {
  if (logPositionOf(segment).resumesTransaction) return undefined;
  let transactions = 0;
  for await (const { events } of checkedEvents(readLog([segment], read))) {
    transactions += events.filter(({ type }) => isTransactionHead(type)).length;
  }
  return transactions;
}
