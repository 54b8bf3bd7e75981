import { OUT } from "./layout";
import { finish, start, takeStripes } from "./xxh64";

// The text that has been written and not been taken by the host. AssemblyScript lets importers assign `outputAt`.

export let outputAt: usize = OUT;
export let rowCount: u64 = 0;
export let hashSum: u64 = 0;
let rowStart: usize = OUT;
let rowHashed: u64 = 0;

export function resetText(): void {
  outputAt = rowStart = OUT;
  rowHashed = rowCount = hashSum = 0;
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

/** Ends the row at `end` with a LF, which is not hashed. */
export function endRow(end: usize): void {
  store<u8>(end, 0x0a);
  if (rowHashed == 0) start();
  const rest = takeStripes(rowStart, end);
  hashSum += finish(rowHashed + (end - rowStart), rest, end);
  rowHashed = 0;
  rowStart = outputAt = end + 1;
  rowCount += 1;
}
