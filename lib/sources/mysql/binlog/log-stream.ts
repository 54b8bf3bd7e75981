import { AppError } from "../../../core/errors.ts";
import type { ValidSegment } from "../../../vault/segment-head.ts";
import { BINLOG_MAGIC, type BinlogEvent, EventReader } from "./event.ts";
import { type LogPosition, type LogRun, logPositionSchema } from "./log-position.ts";

const FIRST_EVENT = BINLOG_MAGIC.length;

/** Opens the data of one segment. */
export type ReadSegmentData = (segment: ValidSegment) => AsyncIterable<Buffer>;

/** Events of one binlog file, in their order. */
export interface LogPiece {
  file: string;
  events: readonly BinlogEvent[];
}

/** The MySQL part of a segment's manifest. Throws MANIFEST_INVALID. */
export function logPositionOf({ name, content }: ValidSegment): LogPosition {
  const result = logPositionSchema.safeParse(content.position);
  if (result.success) return result.data;
  throw new AppError("MANIFEST_INVALID", `${name}: its position is none in a MySQL log`, { cause: result.error });
}

/**
 * How many bytes of each segment belong to whole transactions. A transaction that the next segment does not go on with was cut
 * by a failure; it comes again, whole, or never was committed where the log went on.
 */
function wholeBytes(segments: readonly ValidSegment[]): number[] {
  const kept = segments.map(({ content }) => content.data.plainBytes);
  let isFinished = false;
  for (let index = segments.length - 1; index >= 0; index--) {
    const segment = segments[index];
    if (segment === undefined) continue;
    // Whether the one after goes on with what is unfinished here, to its end.
    const { unfinishedBytes, resumesTransaction } = logPositionOf(segment);
    const { plainBytes } = segment.content.data;
    if (!isFinished) kept[index] = plainBytes - unfinishedBytes;
    if (plainBytes > 0) isFinished = resumesTransaction && (kept[index] ?? 0) > 0;
  }
  return kept;
}

/**
 * The events of segments that follow each other, oldest first, as many at a time as each chunk completes. Unfinished
 * transactions are left out. Where the log does not start with a file, the format description that holds there comes first.
 * Throws what reading the data throws, and SOURCE_PROTOCOL.
 */
export async function* readLog(
  segments: readonly ValidSegment[],
  read: ReadSegmentData,
): AsyncGenerator<LogPiece, void, void> {
  const kept = wholeBytes(segments);
  const joint = new Joint();
  for (const [index, segment] of segments.entries()) {
    const limit = kept[index] ?? 0;
    if (limit === 0) continue;
    for await (const { run, position, bytes, isStart } of cutIntoRuns(segment, read, limit)) {
      const description = isStart ? joint.enter(run, position) : undefined;
      if (description !== undefined) yield { file: run.file, events: [description] };
      const events = joint.reader.push(bytes);
      if (events.length > 0) yield { file: run.file, events };
    }
  }
  joint.reader.end();
}

/** Where the stretches of files meet: goes on in the same file, or begins with another reader. */
class Joint {
  reader = new EventReader();
  #end: { file: string; offset: number; serverUuid: string } | undefined;

  /** The format description to put in front; undefined where the stretch goes on or starts with one. */
  enter(run: LogRun, { serverUuid, runs, formatDescription }: LogPosition): BinlogEvent | undefined {
    const end = this.#end;
    this.#end = { file: run.file, offset: run.to, serverUuid };
    if (end?.file === run.file && end.offset === run.from && end.serverUuid === serverUuid) return undefined;
    this.reader.end();
    this.reader = new EventReader(this.reader.hasChecksum);
    if (run.from === FIRST_EVENT || run !== runs[0] || formatDescription === null) return undefined;
    const [description] = this.reader.push(Buffer.from(formatDescription, "base64"));
    return description;
  }
}

interface RunPiece {
  run: LogRun;
  position: LogPosition;
  bytes: Buffer;
  /** The piece starts the run. */
  isStart: boolean;
}

/** The data of a segment up to `limit`, cut where its stretches of files meet. */
export async function* cutIntoRuns(
  segment: ValidSegment,
  read: ReadSegmentData,
  limit: number,
): AsyncGenerator<RunPiece, void, void> {
  const position = logPositionOf(segment);
  const runs = position.runs.values();
  let left = limit;
  let run = runs.next().value;
  let runLeft = run === undefined ? 0 : run.to - run.from;
  let isStart = true;
  for await (const chunk of read(segment)) {
    let rest = chunk.subarray(0, left);
    left -= rest.length;
    while (rest.length > 0) {
      if (run === undefined) throw new AppError("MANIFEST_INVALID", `${segment.name}: more data than its runs say`);
      const bytes = rest.subarray(0, runLeft);
      if (bytes.length > 0) yield { run, position, bytes, isStart };
      isStart = false;
      rest = rest.subarray(bytes.length);
      runLeft -= bytes.length;
      if (runLeft > 0) continue;
      run = runs.next().value;
      runLeft = run === undefined ? 0 : run.to - run.from;
      isStart = true;
    }
  }
}
