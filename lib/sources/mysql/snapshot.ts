import { setTimeout as pause } from "node:timers/promises";
import { AppError } from "../../core/errors.ts";
import type { Logger } from "../../core/log.ts";
import type { MysqlConnection } from "./connection.ts";
import type { SourcePosition } from "./position.ts";
import { type LogIdentity, readLogIdentity, readLogPosition } from "./read-position.ts";

/*
 * Several connections on one consistent snapshot, with the GTID set and binlog position that it stands at.
 *
 * With RELOAD: FLUSH TABLES WITH READ LOCK holds commits back while the transactions begin, for milliseconds. While it
 * waits for a long statement it holds everybody else back, too, so it gets a fraction of a second and no more.
 *
 * Without it, or when the lock is not had: begin optimistically and prove it. A transaction is written to the
 * binlog first (it then owns its GTID, and the position has moved), becomes visible in InnoDB after that, and only then
 * leaves gtid_owned for gtid_executed. So the snapshots stand exactly at the position when, in this order:
 *   1. the position is p,  2. gtid_owned is empty: all that is before p is visible,
 *   3. the snapshots begin,  4. the position is still p: nothing came after it.
 * What is written with sql_log_bin=0 has no GTID and is not covered by that proof; it is by the lock.
 * Without GTIDs there is no gtid_owned to look at, so then only the lock will do.
 */

/** Where and when the snapshot stands. */
export interface SnapshotMark {
  position: SourcePosition;
  /** The server's own UTC time, ISO with microseconds. */
  consistentAt: string;
  method: "lock" | "verified";
}

export interface SnapshotOptions {
  /** How long to go on trying on a busy server. */
  deadlineMs: number;
  signal: AbortSignal;
  logger: Logger;
}

const LOCK_LIMIT_MS = 250;
/** Optimistic attempts between two tries for the lock: some seconds' worth. */
const ATTEMPTS_IN_A_ROW = 1000;

/**
 * Puts every worker into a read-only transaction on the same snapshot; `control` stays outside.
 * Throws SOURCE_POSITION_UNREADABLE at once, SOURCE_SNAPSHOT_FAILED after the deadline.
 */
export async function openSnapshot(
  control: MysqlConnection,
  workers: readonly MysqlConnection[],
  options: SnapshotOptions,
): Promise<SnapshotMark> {
  const identity = await readLogIdentity(control);
  const attempts = identity.gtidMode === "ON" ? ATTEMPTS_IN_A_ROW : 0;
  const deadline = performance.now() + options.deadlineMs;
  let mayLock = true;
  do {
    if (mayLock) {
      const locked = await beginLocked(control, workers, identity);
      if (typeof locked === "object") return locked;
      mayLock = locked !== "refused";
    }
    if (attempts === 0 && !mayLock) throw lockNeeded(identity.gtidMode);
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (performance.now() > deadline) break;
      const verified = await beginVerified(control, workers, identity);
      if (verified !== undefined) return verified;
      await pause(Math.random() * 5, undefined, { signal: options.signal });
    }
    options.logger.debug("snapshot-retried", { mayLock });
  } while (performance.now() < deadline);
  throw new AppError("SOURCE_SNAPSHOT_FAILED", `no consistent snapshot within ${options.deadlineMs} ms`, {
    hint: mayLock
      ? "A long statement holds back FLUSH TABLES WITH READ LOCK; run the backup when it has ended."
      : "Commits follow each other too closely; GRANT RELOAD ON *.* to the backup's user lets it hold them back for a moment.",
  });
}

async function beginLocked(
  control: MysqlConnection,
  workers: readonly MysqlConnection[],
  identity: LogIdentity,
): Promise<SnapshotMark | "refused" | "busy"> {
  const locked = await lock(control, workers);
  if (locked !== "locked") return locked;
  await begin(workers);
  const consistentAt = (await readState(control)).now;
  const position = { ...identity, ...(await readLogPosition(control)) };
  await control.execute("UNLOCK TABLES");
  return { position, consistentAt, method: "lock" };
}

/** Takes the global read lock, or gives up after LOCK_LIMIT_MS: the server's own timeout counts in seconds. */
async function lock(
  control: MysqlConnection,
  workers: readonly MysqlConnection[],
): Promise<"locked" | "refused" | "busy"> {
  let killed: Promise<unknown> | undefined;
  const timer = setTimeout(() => {
    killed = workers[0]?.execute(`KILL QUERY ${control.threadId}`);
  }, LOCK_LIMIT_MS);
  const outcome = await tryExecute(control, "FLUSH TABLES WITH READ LOCK");
  clearTimeout(timer);
  if (killed === undefined) return outcome;
  await killed;
  // The lock and the KILL can cross. A statement that does nothing takes the KILL, should it have come too late.
  await tryExecute(control, "DO 0");
  await control.execute("UNLOCK TABLES");
  return "busy";
}

async function tryExecute(control: MysqlConnection, sql: string): Promise<"locked" | "refused" | "busy"> {
  try {
    await control.execute(sql);
    return "locked";
  } catch (error: unknown) {
    if (!(error instanceof AppError)) throw error;
    if (error.code === "SOURCE_GRANT_MISSING") return "refused";
    if (error.code === "SOURCE_QUERY_FAILED") return "busy";
    throw error;
  }
}

async function beginVerified(
  control: MysqlConnection,
  workers: readonly MysqlConnection[],
  identity: LogIdentity,
): Promise<SnapshotMark | undefined> {
  const before = await readLogPosition(control);
  const state = await readState(control);
  if (!state.settled) return undefined;
  await begin(workers);
  const after = await readLogPosition(control);
  const still = after.file === before.file && after.offset === before.offset;
  return still ? { position: { ...identity, ...after }, consistentAt: state.now, method: "verified" } : undefined;
}

async function begin(workers: readonly MysqlConnection[]): Promise<void> {
  const statement = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
  await Promise.all(workers.map((connection) => connection.execute(statement)));
}

async function readState(control: MysqlConnection): Promise<{ now: string; settled: boolean }> {
  const [row] = await control.query<"now" | "owned">("SELECT UTC_TIMESTAMP(6) AS now, @@global.gtid_owned AS owned");
  return { now: `${(row?.now ?? "").replace(" ", "T")}Z`, settled: row?.owned === "" };
}

function lockNeeded(gtidMode: string): AppError {
  return new AppError("SOURCE_SNAPSHOT_FAILED", `gtid_mode is ${gtidMode}: a snapshot's position needs a lock`, {
    hint: "Set gtid_mode=ON, or GRANT RELOAD ON *.* to the backup's user.",
    retryable: false,
  });
}
