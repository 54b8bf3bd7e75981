import { AppError } from "../../../core/errors.ts";
import type { Logger } from "../../../core/log.ts";
import type { BinlogEvent } from "../binlog/event.ts";
import { type MysqlConnection, openConnection } from "../connection.ts";
import { formatGtid, type Gtid, type GtidSet } from "../gtid-set.ts";
import { errorNumber, toRestoreError } from "../restore-session.ts";
import type { MysqlTarget } from "../url.ts";
import { Applier } from "./applier.ts";
import { type Checkpoint, CheckpointTable, type LogPosition } from "./checkpoint.ts";
import { checkedEvents } from "./checked-events.ts";
import { preparedXids } from "./pending.ts";
import { type LeftOut, Progression } from "./progression.ts";
import { lostTemporaryTables, neverSeen } from "./replay-errors.ts";
import { openReplaySession } from "./replay-session.ts";
import { Replayer } from "./replayer.ts";
import type { ReplayScope } from "./scope.ts";
import { StatementChannel } from "./statement-channel.ts";
import { formatStopPoint, type StopPoint } from "./stop-point.ts";
import { readCollations, TargetSession } from "./target-session.ts";

/** Events of one binlog file, in their order. */
export interface LogPiece {
  file: string;
  events: readonly BinlogEvent[];
}

export interface ReplayRequest {
  target: MysqlTarget;
  /** The source's log in its order, from anywhere at or before `from`; what is in already is passed over. */
  log: AsyncIterable<LogPiece>;
  /** What the target holds: the GTID set of the backup that was restored. */
  from: GtidSet;
  /** The same as a position, for transactions without GTIDs. */
  fromPosition?: LogPosition;
  stop: StopPoint;
  scope: ReplayScope;
  /** Schema on the target that keeps the checkpoint; the same for the same restore. */
  checkpointSchema: string;
  /** Whether the target's own binlog gets what is replayed. Without it, its replicas get nothing. */
  targetBinlog: "on" | "off";
  /** Goes on where a statement can't be replayed under this choice of tables and names; the report lists them. */
  leaveOutRefused?: boolean;
  /** Waited for before the log makes a schema of that name on the target. */
  beforeSchema?: (name: string) => Promise<void>;
  logger: Logger;
  signal: AbortSignal;
  /** Called now and then with the bytes of log that were read. */
  onProgress?: (logBytes: number) => void;
}

export interface ReplayReport {
  /** Transactions that this run replayed. */
  transactions: number;
  rowEvents: number;
  statements: number;
  logBytes: number;
  /** A checkpoint of an earlier run was there. */
  resumed: boolean;
  /** The stop point was reached; else the log ended. Always false for `latest`. */
  reachedStop: boolean;
  /** Everything that the target holds now. */
  done: GtidSet;
  /** Commit time of the last transaction that was replayed, in microseconds since 1970; 0 for none. */
  lastCommitMicros: bigint;
  /** Of that transaction; undefined where it has none. */
  lastGtid: Gtid | undefined;
  /** Statements that were not replayed, by reason. */
  leftOut: LeftOut[];
  /** XA transactions that are prepared on the target: neither committed nor rolled back at this instant. */
  preparedXa: string[];
}

/**
 * Replays a source's log on a target, up to the stop point. May be killed at any instant and run again with the same
 * request. Throws RESTORE_FAILED, TARGET_UNSUITABLE, TIME_OUTSIDE_WINDOW, SOURCE_… codes.
 */
export async function replayLog(request: ReplayRequest): Promise<ReplayReport> {
  // Left by destroying it: a transaction of which the log has a part only must not be committed.
  await using connection = await openReplaySession(request);
  await using queries = await openConnection(request.target, { signal: request.signal });
  if (request.targetBinlog === "off") await queries.execute("SET SESSION sql_log_bin = OFF");
  const checkpoints = new CheckpointTable(request.checkpointSchema);
  const found = await checkpoints.read(queries);
  const start = found ?? firstCheckpoint(request);
  if (found === undefined) await checkpoints.create(queries, start);
  if (start.temporaryTables) throw lostTemporaryTables();
  const progression = new Progression(start);
  const logBytes = isThere(start, request.stop, found !== undefined)
    ? undefined
    : await run(request, { connection, queries, checkpoints, progression });
  return {
    transactions: progression.transactions,
    rowEvents: progression.rowEvents,
    statements: progression.statements,
    logBytes: logBytes ?? 0,
    resumed: found !== undefined,
    reachedStop: logBytes === undefined || progression.stopped,
    done: progression.done,
    lastCommitMicros: progression.lastCommitMicros,
    lastGtid: progression.lastGtid,
    leftOut: progression.leftOut,
    preparedXa: await readPrepared(queries, progression),
  };
}

/** An account without XA_RECOVER_ADMIN is enough for a log without XA. */
async function readPrepared(queries: MysqlConnection, { sawXa }: Progression): Promise<string[]> {
  try {
    return [...(await preparedXids(queries))];
  } catch (error: unknown) {
    if (sawXa || errorNumber(error) !== XA_RECOVER_REFUSED) throw error;
    return [];
  }
}

const XA_RECOVER_REFUSED = 1401;

interface Parts {
  connection: MysqlConnection;
  queries: MysqlConnection;
  checkpoints: CheckpointTable;
  progression: Progression;
}

async function run(request: ReplayRequest, parts: Parts): Promise<number> {
  const { connection, queries, checkpoints, progression } = parts;
  const [row] = await queries.query<"bytes">("SELECT @@max_allowed_packet AS bytes");
  const packetBytes = Number(row?.bytes);
  const collations = await readCollations(queries);
  const channel = new StatementChannel(connection);
  try {
    const session = new TargetSession(channel, collations);
    const applier = new Applier({ session, queries, checkpoints, packetBytes });
    const { scope, stop, leaveOutRefused = false, beforeSchema = () => Promise.resolve() } = request;
    const replayer = new Replayer({ applier, progression, scope, stop, leaveOutRefused, packetBytes, beforeSchema });
    const logBytes = await feed(request, replayer);
    await replayer.finish();
    if (!progression.stopped && isEdge(stop)) throw neverSeen(stop);
    return logBytes;
  } catch (error: unknown) {
    // What broke then is the connection, which the signal cut.
    request.signal.throwIfAborted();
    throw toRestoreError(error, `replaying, at or before ${progression.describe(progression.current)}`);
  } finally {
    channel.close();
  }
}

async function feed({ log, signal, onProgress }: ReplayRequest, replayer: Replayer): Promise<number> {
  let logBytes = 0;
  for await (const { file, events } of checkedEvents(log)) {
    signal.throwIfAborted();
    for (const event of events) {
      const work = replayer.take(file, event);
      if (work !== undefined) await work;
      if (replayer.stopped) return logBytes;
      logBytes += event.size;
    }
    onProgress?.(logBytes);
  }
  return logBytes;
}

/** What the target holds before anything is replayed. */
export function firstCheckpoint({ from, fromPosition }: Pick<ReplayRequest, "from" | "fromPosition">): Checkpoint {
  return { done: from, position: fromPosition, pending: undefined, temporaryTables: false };
}

type Edge = Extract<StopPoint, { kind: "before" | "after" }>;

function isEdge(stop: StopPoint): stop is Edge {
  return stop.kind === "before" || stop.kind === "after";
}

/** Whether the target is at the stop point already, by an earlier run. Throws where the backup itself is past it. */
function isThere({ done }: Checkpoint, stop: StopPoint, resumed: boolean): boolean {
  if (!isEdge(stop) || !done.contains(stop.gtid)) return false;
  if (resumed && stop.kind === "after") return true;
  throw new AppError(
    "TIME_OUTSIDE_WINDOW",
    `${formatStopPoint(stop)}: the backup holds ${formatGtid(stop.gtid)} already`,
    {
      hint: "Restore from an earlier backup.",
    },
  );
}
