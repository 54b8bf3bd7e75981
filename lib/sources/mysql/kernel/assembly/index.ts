/*
 * Rows of the text protocol in, LOAD DATA text out, with the sum of the rows' XXH64 and their count.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html
 *
 * The host writes socket bytes to `input()` and calls `run`; they may be cut anywhere. `run` goes on until it needs
 * more input, its output is full (the host takes it with `drain` and calls again), or the result set ends.
 * A packet that lies whole in the input takes the short way (`wholeRow`). Any other goes through the states
 * header → opening byte → (length → data)… and needs no more memory however long the row is.
 *
 * The first fields of a row can be guards: they must be NULL, and are left out. A row with another guard is skipped.
 */
import { escapeCopy, SLACK } from "./escape";
import { finish, start, takeStripes } from "./xxh64";

export const INPUT_SIZE: i32 = 1 << 18;
export const OUTPUT_SIZE: i32 = 1 << 21;

export const NEEDS_INPUT: i32 = 0;
export const OUTPUT_FULL: i32 = 1;
export const ENDED: i32 = 2;
export const SERVER_ERROR: i32 = 3;
export const MALFORMED: i32 = 4;

const MAX_PACKET: u32 = 0xffffff;
/** Longer packets are worked off in pieces, so that a row need not fit into the output. */
const WHOLE_ROW_LIMIT: u32 = 1 << 16;
const MESSAGE_SIZE: usize = 1024;
/** Room in front of the output for the bytes of an unfinished hash stripe. */
const STRIPE: usize = 32;

const IN: usize = heap.alloc(<usize>INPUT_SIZE + SLACK);
const OUT: usize = heap.alloc(STRIPE + <usize>OUTPUT_SIZE + SLACK) + STRIPE;
const OUT_END: usize = OUT + <usize>OUTPUT_SIZE;
const MESSAGE: usize = heap.alloc(MESSAGE_SIZE);

const HEADER: i32 = 0;
const OPENING: i32 = 1;
const LENGTH: i32 = 2;
const LENGTH_BYTES: i32 = 3;
const DATA: i32 = 4;
const CLOSING: i32 = 5;
const SKIPPING: i32 = 6;

let state: i32 = HEADER;
let columns: u32 = 0;
let guards: u32 = 0;
let column: u32 = 0;
let sequence: u32 = 0;
let inRow: bool = false;
let skipping: bool = false;
let headerBytes: u32 = 0;
let header: u32 = 0;
let packetLength: u32 = 0;
let packetLeft: u32 = 0;
let lengthBytes: u32 = 0;
let lengthShift: u32 = 0;
let fieldLeft: u64 = 0;
let closing: i32 = ENDED;
let messageLength: usize = 0;

let inputAt: usize = IN;
let inputEnd: usize = IN;
let outputAt: usize = OUT;
let rowStart: usize = OUT;
let rowHashed: u64 = 0;
let rowCount: u64 = 0;
let skippedCount: u64 = 0;
let hashSum: u64 = 0;

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

/** Begins a result set of `columnCount` columns, guards included, whose first row packet carries `firstSequence`. */
export function reset(columnCount: u32, guardCount: u32, firstSequence: u32): void {
  state = HEADER;
  columns = columnCount;
  guards = guardCount;
  column = 0;
  sequence = firstSequence & 0xff;
  inRow = false;
  skipping = false;
  headerBytes = 0;
  header = 0;
  messageLength = 0;
  inputAt = inputEnd = IN;
  outputAt = rowStart = OUT;
  rowHashed = rowCount = skippedCount = hashSum = 0;
}

/** Works on `length` new bytes at `input()`, or, with 0, goes on after the output was drained. */
export function run(length: usize): i32 {
  if (length > 0) {
    inputAt = IN;
    inputEnd = IN + length;
  }
  while (true) {
    if (state == HEADER && !inRow && headerBytes == 0) {
      const stopped = wholeRows();
      if (stopped != NEEDS_INPUT) return stopped;
    }
    if (inputAt == inputEnd) return NEEDS_INPUT;
    const stopped = step();
    if (stopped != NEEDS_INPUT) return stopped;
  }
}

/** Forgets the output, which the host has copied. A row that goes on keeps its hash. */
export function drain(): void {
  let rest: usize = 0;
  if (rowStart < outputAt) {
    if (rowHashed == 0) start();
    const from = takeStripes(rowStart, outputAt);
    rowHashed += from - rowStart;
    rest = outputAt - from;
    memory.copy(OUT - rest, from, rest);
  }
  outputAt = OUT;
  rowStart = OUT - rest;
}

/** Takes all packets that lie whole in the input and fit the output; stops in front of any other. */
function wholeRows(): i32 {
  while (inputEnd - inputAt >= 4) {
    const word = load<u32>(inputAt);
    const length = word & MAX_PACKET;
    if (length > WHOLE_ROW_LIMIT || length == 0 || inputEnd - inputAt - 4 < length) return NEEDS_INPUT;
    const opening = load<u8>(inputAt, 4);
    if (opening == 0xff || (opening == 0xfe && length < 9)) return NEEDS_INPUT;
    if (OUT_END - outputAt < 2 * <usize>length + columns + 1) return OUTPUT_FULL;
    if (word >> 24 != sequence) return MALFORMED;
    const end = wholeRow(inputAt + 4, inputAt + 4 + length);
    if (end == 0) return MALFORMED;
    sequence = (sequence + 1) & 0xff;
    inputAt = end;
  }
  return NEEDS_INPUT;
}

function wholeRow(from: usize, end: usize): usize {
  for (let left = guards; left > 0; left--) {
    if (from >= end) return 0;
    if (load<u8>(from) != 0xfb) {
      skippedCount += 1;
      return end;
    }
    from += 1;
  }
  let target = outputAt;
  for (let left = columns - guards; left > 0; left--) {
    if (from >= end) return 0;
    let length: usize = load<u8>(from);
    from += 1;
    if (length == 0xfb) {
      store<u16>(target, 0x4e5c);
      store<u8>(target, 0x09, 2);
      target += 3;
      continue;
    }
    if (length == 0xfc) {
      length = load<u16>(from);
      from += 2;
    } else if (length == 0xfd) {
      length = load<u32>(from) & MAX_PACKET;
      from += 3;
    } else if (length > 0xfd) {
      return 0;
    }
    if (from + length > end) return 0;
    target = escapeCopy(from, length, target);
    store<u8>(target, 0x09);
    target += 1;
    from += length;
  }
  if (from != end) return 0;
  // The TAB after the last field becomes the LF.
  endRow(target - 1);
  return end;
}

/** Ends the row at `end` with a LF, which is not hashed. */
function endRow(end: usize): void {
  store<u8>(end, 0x0a);
  if (rowHashed == 0) start();
  const rest = takeStripes(rowStart, end);
  hashSum += finish(rowHashed + (end - rowStart), rest, end);
  rowHashed = 0;
  rowStart = outputAt = end + 1;
  rowCount += 1;
}

/** One state's work on the input, which has at least one byte. */
function step(): i32 {
  if (OUT_END - outputAt < 64) return OUTPUT_FULL;
  if (state == HEADER) return readHeader();
  if (state == OPENING) return readOpening();
  if (state == LENGTH) return readLength();
  if (state == LENGTH_BYTES) return readLengthBytes();
  if (state == DATA) return readData();
  if (state == SKIPPING) return skipData();
  return readClosing();
}

function readHeader(): i32 {
  header |= (<u32>load<u8>(inputAt)) << (headerBytes * 8);
  headerBytes += 1;
  inputAt += 1;
  if (headerBytes < 4) return NEEDS_INPUT;
  if (header >> 24 != sequence) return MALFORMED;
  sequence = (sequence + 1) & 0xff;
  packetLength = packetLeft = header & MAX_PACKET;
  header = headerBytes = 0;
  if (inRow) {
    if (skipping) state = SKIPPING;
    else state = fieldLeft > 0 ? DATA : lengthBytes > 0 ? LENGTH_BYTES : LENGTH;
    return packetLeft == 0 ? endPacket() : NEEDS_INPUT;
  }
  state = OPENING;
  return packetLeft == 0 ? MALFORMED : NEEDS_INPUT;
}

function readOpening(): i32 {
  const opening = load<u8>(inputAt);
  if (opening == 0xff || (opening == 0xfe && packetLength < 9)) {
    closing = opening == 0xff ? SERVER_ERROR : ENDED;
    state = CLOSING;
    return NEEDS_INPUT;
  }
  inRow = true;
  column = 0;
  fieldLeft = 0;
  lengthBytes = 0;
  state = LENGTH;
  return NEEDS_INPUT;
}

function readLength(): i32 {
  if (column == columns) return MALFORMED;
  const first = load<u8>(inputAt);
  inputAt += 1;
  packetLeft -= 1;
  column += 1;
  if (column <= guards) {
    skipping = first != 0xfb;
    if (skipping) state = SKIPPING;
    return packetLeft == 0 ? endPacket() : NEEDS_INPUT;
  }
  if (column > guards + 1) {
    store<u8>(outputAt, 0x09);
    outputAt += 1;
  }
  if (first == 0xfb) {
    store<u16>(outputAt, 0x4e5c);
    outputAt += 2;
  } else if (first < 0xfb) {
    fieldLeft = first;
    beginData();
  } else {
    if (first == 0xff) return MALFORMED;
    lengthBytes = first == 0xfc ? 2 : first == 0xfd ? 3 : 8;
    lengthShift = 0;
    fieldLeft = 0;
    state = LENGTH_BYTES;
  }
  return packetLeft == 0 ? endPacket() : NEEDS_INPUT;
}

function readLengthBytes(): i32 {
  fieldLeft |= (<u64>load<u8>(inputAt)) << lengthShift;
  lengthShift += 8;
  lengthBytes -= 1;
  inputAt += 1;
  packetLeft -= 1;
  if (lengthBytes == 0) beginData();
  return packetLeft == 0 ? endPacket() : NEEDS_INPUT;
}

function beginData(): void {
  state = DATA;
  if (fieldLeft == 0) state = LENGTH;
}

function readData(): i32 {
  const room = (OUT_END - outputAt - 2) / 2;
  const length = <usize>min<u64>(fieldLeft, min<u64>(packetLeft, min<u64>(inputEnd - inputAt, room)));
  outputAt = escapeCopy(inputAt, length, outputAt);
  inputAt += length;
  packetLeft -= <u32>length;
  fieldLeft -= length;
  if (fieldLeft == 0) state = LENGTH;
  return packetLeft == 0 ? endPacket() : NEEDS_INPUT;
}

function skipData(): i32 {
  const length = min<usize>(packetLeft, inputEnd - inputAt);
  inputAt += length;
  packetLeft -= <u32>length;
  return packetLeft == 0 ? endPacket() : NEEDS_INPUT;
}

/** A full-size packet is followed by another of the same row; a shorter one ends the row. */
function endPacket(): i32 {
  const goesOn = packetLength == MAX_PACKET;
  const midLength = state == LENGTH_BYTES;
  state = HEADER;
  if (goesOn) return NEEDS_INPUT;
  if (skipping) {
    skipping = inRow = false;
    skippedCount += 1;
    return NEEDS_INPUT;
  }
  if (column != columns || fieldLeft > 0 || midLength) return MALFORMED;
  inRow = false;
  endRow(outputAt);
  return NEEDS_INPUT;
}

function readClosing(): i32 {
  const length = min<usize>(packetLeft, inputEnd - inputAt);
  const kept = min<usize>(length, MESSAGE_SIZE - messageLength);
  memory.copy(MESSAGE + messageLength, inputAt, kept);
  messageLength += kept;
  inputAt += length;
  packetLeft -= <u32>length;
  return packetLeft == 0 ? closing : NEEDS_INPUT;
}
