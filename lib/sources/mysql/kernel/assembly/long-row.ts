import { escapeCopy } from "./escape";
import { again, checks, countSkipped, nulls } from "./guards";
import {
  ENDED,
  MALFORMED,
  MAX_PACKET,
  MESSAGE,
  MESSAGE_SIZE,
  NEEDS_INPUT,
  NULL_FIELD,
  OUT_END,
  OUTPUT_FULL,
  SERVER_ERROR,
} from "./layout";
import { endRow, outputAt } from "./text";

// Rows too long to lie whole in the input, and the packet that ends the result: one state after the other.

const HEADER: i32 = 0;
const OPENING: i32 = 1;
const LENGTH: i32 = 2;
const LENGTH_BYTES: i32 = 3;
const DATA: i32 = 4;
const CLOSING: i32 = 5;
const SKIPPING: i32 = 6;
const DROPPING: i32 = 7;

/** The input that is left. AssemblyScript lets importers assign what they import. */
export let inputAt: usize = 0;
export let inputEnd: usize = 0;
/** The number that the next packet must carry. */
export let sequence: u32 = 0;
export let messageLength: usize = 0;

let state: i32 = HEADER;
let columns: u32 = 0;
let column: u32 = 0;
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

export function resetPackets(columnCount: u32, firstSequence: u32): void {
  state = HEADER;
  columns = columnCount;
  column = 0;
  sequence = firstSequence & 0xff;
  inRow = false;
  skipping = false;
  headerBytes = 0;
  header = 0;
  messageLength = 0;
}

/** Whether the next byte begins a packet that is not the continuation of a row. */
export function isBetweenRows(): bool {
  return state == HEADER && !inRow && headerBytes == 0;
}

/** One state's work on the input, which has at least one byte. */
export function step(): i32 {
  if (OUT_END - outputAt < 64) return OUTPUT_FULL;
  if (state == HEADER) return readHeader();
  if (state == OPENING) return readOpening();
  if (state == LENGTH) return readLength();
  if (state == LENGTH_BYTES) return readLengthBytes();
  if (state == DATA) return readData();
  if (state == SKIPPING) return skipData();
  if (state == DROPPING) return dropData();
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
    else if (fieldLeft > 0) state = column <= nulls + checks ? DROPPING : DATA;
    else state = lengthBytes > 0 ? LENGTH_BYTES : LENGTH;
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
  // Too long to be looked at before it is written.
  skipping = checks > 0 && !again;
  state = skipping ? SKIPPING : LENGTH;
  return NEEDS_INPUT;
}

function readLength(): i32 {
  if (column == columns) return MALFORMED;
  const first = load<u8>(inputAt);
  inputAt += 1;
  packetLeft -= 1;
  column += 1;
  if (column <= nulls) {
    skipping = first != NULL_FIELD;
    if (skipping) state = SKIPPING;
    return packetLeft == 0 ? endPacket() : NEEDS_INPUT;
  }
  if (column <= nulls + checks) {
    if (first > NULL_FIELD) return MALFORMED;
    fieldLeft = first == NULL_FIELD ? 0 : first;
    if (fieldLeft > 0) state = DROPPING;
    return packetLeft == 0 ? endPacket() : NEEDS_INPUT;
  }
  if (column > nulls + checks + 1) {
    store<u8>(outputAt, 0x09);
    outputAt += 1;
  }
  if (first == NULL_FIELD) {
    store<u16>(outputAt, 0x4e5c);
    outputAt += 2;
  } else if (first < NULL_FIELD) {
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

/** A check of a row that is taken unlooked. */
function dropData(): i32 {
  const length = <usize>min<u64>(fieldLeft, min<u64>(packetLeft, inputEnd - inputAt));
  inputAt += length;
  packetLeft -= <u32>length;
  fieldLeft -= length;
  if (fieldLeft == 0) state = LENGTH;
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
    countSkipped();
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
