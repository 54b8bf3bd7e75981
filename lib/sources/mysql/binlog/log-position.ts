import { z } from "zod";
import { GtidSet } from "../gtid-set.ts";

const offset = z.int().nonnegative();

/** A stretch of a binlog file that a segment holds. */
const run = z.object({
  file: z.string(),
  /** Offset of its first byte in the file; 4 where it starts with the file's first event, after the magic number. */
  from: offset,
  /** Offset after its last byte. */
  to: offset,
});

/** Where in the server's log the data of a segment lies: the `position` of its manifest. */
export const logPositionSchema = z.object({
  serverUuid: z.string(),
  gtidMode: z.string(),
  /** All transactions that are in the log before this segment, or were before its start. Canonical text. */
  before: z.string(),
  /** The transactions that end in this segment. */
  added: z.string(),
  /** The data is these stretches one after the other. */
  runs: z.array(run),
  /** Base64 of the format description event that holds for the first byte; null where the data starts with one. */
  formatDescription: z.string().nullable(),
  /** The first byte goes on with a transaction that the segment before left unfinished. */
  resumesTransaction: z.boolean(),
  /** Bytes at the end of the data that belong to an unfinished transaction. */
  unfinishedBytes: offset,
  /** After the last finished transaction: where to go on in this server's files. Null in a log without any. */
  boundary: z.object({ file: z.string(), offset }).nullable(),
  /** After the last byte. Null in a log without any. */
  end: z.object({ file: z.string(), offset }).nullable(),
});

export type LogPosition = z.output<typeof logPositionSchema>;
export type LogRun = z.output<typeof run>;
export type FileOffset = NonNullable<LogPosition["end"]>;

/** Every transaction that is in the log up to the end of a segment. */
export function heldAfter({ before, added }: Pick<LogPosition, "before" | "added">): GtidSet {
  return GtidSet.parse(before).union(GtidSet.parse(added));
}

/** Orders places of one server: files are numbered, and the numbers grow beyond six digits. */
export function compareOffsets(left: FileOffset, right: FileOffset): number {
  return fileNumber(left.file) - fileNumber(right.file) || left.offset - right.offset;
}

/** `12` for `binlog.000012`; 0 where there is no number. */
export function fileNumber(file: string): number {
  return Number(/\.(\d+)$/.exec(file)?.[1] ?? 0);
}
