import { escapeCopy } from "./escape";
import { again, checks, columnOf, countSkipped, holds, nulls, readCheck } from "./guards";
import { MAX_PACKET, NULL_FIELD } from "./layout";
import { endRow, outputAt } from "./text";

/** Takes the row, of `own` fields after the guards, that lies whole between two addresses. Returns `end`, 0 if malformed. */
export function wholeRow(from: usize, end: usize, own: u32): usize {
  from = readGuards(from, end);
  if (from == 0 || from == end) return from;
  let check: u32 = 0;
  let passed = true;
  let target = outputAt;
  for (let index: u32 = 0; index < own; index++) {
    if (from >= end) return 0;
    let length: usize = load<u8>(from);
    from += 1;
    if (length == NULL_FIELD) {
      length = 0;
      store<u16>(target, 0x4e5c);
      target += 2;
    } else if (length == 0xfc) {
      length = load<u16>(from);
      from += 2;
    } else if (length == 0xfd) {
      length = load<u32>(from) & MAX_PACKET;
      from += 3;
    } else if (length > 0xfd) {
      return 0;
    }
    if (from + length > end) return 0;
    if (index == columnOf(check)) {
      if (!holds(check, from, length)) passed = false;
      check += 1;
    }
    target = escapeCopy(from, length, target);
    store<u8>(target, 0x09);
    target += 1;
    from += length;
  }
  if (from != end) return 0;
  if (checks > 0 && passed == again) {
    if (!passed) countSkipped();
    return end;
  }
  // The TAB after the last field becomes the LF.
  endRow(target - 1);
  return end;
}

/** Reads the guards; returns where the row's own fields begin, `end` when one keeps the row out, 0 if malformed. */
function readGuards(from: usize, end: usize): usize {
  for (let left = nulls; left > 0; left--) {
    if (from >= end) return 0;
    if (load<u8>(from) != NULL_FIELD) {
      countSkipped();
      return end;
    }
    from += 1;
  }
  for (let check: u32 = 0; check < checks; check++) {
    from = readCheck(check, from, end);
    if (from == 0) return 0;
  }
  // A row has at least one field of its own.
  return from < end ? from : 0;
}
