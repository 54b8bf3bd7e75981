/*
 * Rows of the text protocol in, LOAD DATA text out, with the sum of the rows' XXH64 and their count.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html
 *
 * The host writes socket bytes to `input()` and calls `run`; they may be cut anywhere. `run` goes on until it needs
 * more input, its output is full (the host takes it with `drain` and calls again), or the result set ends.
 * A packet of moderate length waits until it lies whole in the input, and takes the short way (`wholeRow`). A longer one
 * goes through the states header → opening byte → (length → data)… and needs no more memory however long the row is.
 *
 * In front of a row's own fields there can be guards, which are left out of the text. First come fields that must be
 * NULL: a row with another value is skipped. Then come checks, one for a JSON column each: the number of its doubtful
 * scalars (json.ts) that the server has proven to be what they look like. Where that is not all of them, or the row too
 * long to look first, the row is skipped, too. With `again`, exactly the rows that failed their checks are taken.
 */
import { checks, nulls, resetGuards, skippedCount } from "./guards";
import { IN, MALFORMED, MAX_PACKET, MESSAGE, NEEDS_INPUT, OUT, OUT_END, OUTPUT_FULL } from "./layout";
import { inputAt, inputEnd, isBetweenRows, messageLength, resetPackets, sequence, step } from "./long-row";
import { hashSum, outputAt, resetText, rowCount } from "./text";
import { wholeRow } from "./whole-row";

export { addCheck, takeFailed } from "./guards";
export { drain } from "./text";

/** Longer packets, guards that must be NULL not counted, are worked off in pieces. */
const WHOLE_ROW_LIMIT: u32 = 1 << 19;
/** Of `wholeRows`: the rest of the input is the beginning of a packet. */
const CARRY: i32 = -1;

let columns: u32 = 0;
let carried: usize = 0;

export function input(): usize {
  return IN;
}
export function output(): usize {
  return OUT;
}
export function outputLength(): usize {
  return outputAt - OUT;
}
export function rows(): u64 {
  return rowCount;
}
export function sum(): u64 {
  return hashSum;
}
/** Rows that a guard kept out. */
export function skipped(): u64 {
  return skippedCount;
}
/** The payload of the server's ERR packet, after SERVER_ERROR. */
export function message(): usize {
  return MESSAGE;
}
export function messageSize(): usize {
  return messageLength;
}
/** Input bytes that `run` has left, after ENDED. */
export function unread(): usize {
  return inputEnd - inputAt;
}

/** Input bytes that are kept: the host puts the next ones behind them. */
export function kept(): usize {
  return carried;
}

/**
 * Begins a result set of `columnCount` columns, guards included, of which the first `nullCount` must be NULL, and whose
 * first row packet carries `firstSequence`.
 */
export function reset(columnCount: u32, nullCount: u32, firstSequence: u32): void {
  columns = columnCount;
  carried = 0;
  inputAt = inputEnd = IN;
  resetPackets(columnCount, firstSequence);
  resetGuards(nullCount);
  resetText();
}

/** Works on `length` new bytes behind the kept ones, or, with 0, goes on after the output was drained. */
export function run(length: usize): i32 {
  if (length > 0) {
    inputAt = IN;
    inputEnd = IN + carried + length;
    carried = 0;
  }
  while (true) {
    if (isBetweenRows()) {
      const stopped = wholeRows();
      if (stopped == CARRY) {
        carried = inputEnd - inputAt;
        memory.copy(IN, inputAt, carried);
        inputAt = inputEnd = IN;
        return NEEDS_INPUT;
      }
      if (stopped != NEEDS_INPUT) return stopped;
    }
    if (inputAt == inputEnd) return NEEDS_INPUT;
    const stopped = step();
    if (stopped != NEEDS_INPUT) return stopped;
  }
}

/** Takes all packets of moderate length that lie whole in the input; stops in front of any other. */
function wholeRows(): i32 {
  while (inputEnd - inputAt >= 5) {
    const word = load<u32>(inputAt);
    const length = word & MAX_PACKET;
    const opening = load<u8>(inputAt, 4);
    if (length == 0 || opening == 0xff || (opening == 0xfe && length < 9)) return NEEDS_INPUT;
    if (length > WHOLE_ROW_LIMIT + nulls) return NEEDS_INPUT;
    if (inputEnd - inputAt - 4 < length) return CARRY;
    if (OUT_END - outputAt < 2 * <usize>length + columns + 1) return OUTPUT_FULL;
    if (word >> 24 != sequence) return MALFORMED;
    const end = wholeRow(inputAt + 4, inputAt + 4 + length, columns - nulls - checks);
    if (end == 0) return MALFORMED;
    sequence = (sequence + 1) & 0xff;
    inputAt = end;
  }
  // A packet that ends the result can be shorter than what tells it from a row.
  return inputAt < inputEnd ? CARRY : NEEDS_INPUT;
}
