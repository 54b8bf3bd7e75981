import { countDoubtful } from "./json";
import { NULL_FIELD } from "./layout";

// Guards: the fields in front of a row's own that decide whether it is taken.

const MAX_CHECKS: usize = 4096;
/** For each check: the column that it is for, counted after the guards, and the value that it has in the row at hand. */
const COLUMNS: usize = heap.alloc(MAX_CHECKS * 4);
const VALUES: usize = heap.alloc(MAX_CHECKS * 8);
const UNCHECKED: i64 = -1;
const UNPROVEN: i64 = -2;

/** Fields that must be NULL. */
export let nulls: u32 = 0;
export let checks: u32 = 0;
/** Whether the rows that fail a check are taken, instead of the others. */
export let again: bool = false;
export let skippedCount: u64 = 0;

export function resetGuards(nullCount: u32): void {
  nulls = nullCount;
  checks = 0;
  again = false;
  skippedCount = 0;
}

/** Adds a check for a column, counted after the guards; columns in ascending order. */
export function addCheck(forColumn: u32): void {
  store<u32>(COLUMNS + 4 * checks, forColumn);
  checks += 1;
}

/** Takes exactly the rows that fail a check. */
export function takeFailed(): void {
  again = true;
}

export function countSkipped(): void {
  skippedCount += 1;
}

/** The column that a check is for; more than any when there is no such check. */
export function columnOf(check: u32): u32 {
  return check < checks ? load<u32>(COLUMNS + 4 * check) : u32.MAX_VALUE;
}

/** Whether a check holds for a document. */
export function holds(check: u32, from: usize, length: usize): bool {
  const value = load<i64>(VALUES + 8 * check);
  return value == UNCHECKED || value == countDoubtful(from, length);
}

/** Reads a check's value: NULL, a decimal number, or something that proves nothing. Returns its end, 0 if malformed. */
export function readCheck(check: u32, from: usize, end: usize): usize {
  if (from >= end) return 0;
  const length: usize = load<u8>(from);
  from += 1;
  let value: i64 = length == 0 ? UNPROVEN : 0;
  if (length == NULL_FIELD) {
    value = UNCHECKED;
  } else if (length > NULL_FIELD || from + length > end) {
    return 0;
  } else {
    for (const stop = from + length; from < stop; from++) {
      const digit = <i64>load<u8>(from) - 0x30;
      value = value < 0 || digit < 0 || digit > 9 ? UNPROVEN : value * 10 + digit;
    }
  }
  store<i64>(VALUES + 8 * check, value);
  return from;
}
