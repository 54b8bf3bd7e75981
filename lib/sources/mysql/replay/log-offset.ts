import type { LogPosition } from "./checkpoint.ts";

const POSITIONS = 2 ** 32;

/**
 * The offset that an event's position stands for, where `last` is where the one before it ended: positions have 32 bits in the
 * log, and a file with a large transaction can be longer.
 */
export function unwrapOffset(last: LogPosition, file: string, position: number): number {
  if (file !== last.file) return position;
  const near = last.offset - (last.offset % POSITIONS) + position;
  // A little less than before is a place that is read again.
  return near + POSITIONS / 2 < last.offset ? near + POSITIONS : near;
}
