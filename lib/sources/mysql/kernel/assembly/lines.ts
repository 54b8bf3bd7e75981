import { finish, start, takeStripes } from "./xxh64";

// Counts the lines of a text and sums their XXH64. A line may be cut anywhere, and longer than the input.

const SIZE: i32 = 1 << 20;
/** Room in front of the input for the bytes of an unfinished hash stripe. */
const STRIPE: usize = 32;
const IN: usize = heap.alloc(STRIPE + <usize>SIZE) + STRIPE;
const LF: u8 = 10;

let lineCount: u64 = 0;
let hashSum: u64 = 0;
/** Of the unfinished line: bytes that are in the hash, and those behind them, which lie before the input. */
let hashed: u64 = 0;
let carried: usize = 0;

/** Where the input goes, and how much of it at most. */
export function input(): usize {
  return IN;
}

export function inputSize(): i32 {
  return SIZE;
}

export function reset(): void {
  lineCount = 0;
  hashSum = 0;
  hashed = 0;
  carried = 0;
  start();
}

/** Takes `length` bytes of the input. */
export function run(length: i32): void {
  const end = IN + <usize>length;
  let line = IN - carried;
  for (let at: usize = IN; at < end; at++) {
    if (load<u8>(at) != LF) continue;
    const total = hashed + <u64>(at - line);
    hashSum += finish(total, takeStripes(line, at), at);
    lineCount++;
    start();
    hashed = 0;
    line = at + 1;
  }
  const rest = takeStripes(line, end);
  hashed += <u64>(rest - line);
  carried = end - rest;
  memory.copy(IN - carried, rest, carried);
}

export function lines(): u64 {
  return lineCount;
}

export function sum(): u64 {
  return hashSum;
}

/** Bytes of the line that has not ended. */
export function open(): u64 {
  return hashed + <u64>carried;
}
