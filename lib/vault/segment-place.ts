import type { SegmentFacts } from "./segment-facts.ts";

/** What stands before the manifest in a segment's own blob: "RSGL" and the manifest's length. */
export const SEGMENT_HEAD_BYTES = 8;

/** Where a segment lies. */
export interface SegmentPlace {
  id: string;
  /** Of the segment's own blob, also where it lies in a merged one. */
  sizeBytes: number;
  /** Absent where it has a blob of its own. */
  merged?: MergedPlace | undefined;
}

/** Where a segment's bytes stand in a blob that many were merged into. */
export interface MergedPlace {
  /** Name of that blob. */
  blob: string;
  manifestOffset: number;
  manifestBytes: number;
  dataOffset: number;
  /** Up to here stands the data of the segments that follow. */
  endOffset: number;
  /** Hex, of the manifest. */
  sha256: string;
}

/** A segment as planning sees it. */
export type SegmentEntry = SegmentFacts & SegmentPlace;

const HOUR_DIGITS = "20261121T23".length;

/** The hour of a segment by its id: `20261121T23`. Segments that lie in one blob are of one hour. */
export function hourOf(id: string): string {
  return id.slice(0, HOUR_DIGITS);
}
