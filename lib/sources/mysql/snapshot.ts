import { setTimeout as pause } from "node:timers/promises";
import { AppError } from "../../core/errors.ts";
import type { Logger } from "../../core/log.ts";
import type { MysqlConnection } from "./connection.ts";
import type { SourcePosition } from "./position.ts";
import { type LogIdentity, readLogIdentity, readLogPosition } from "./read-position.ts";

/*
 * Several connections on one consistent snapshot, with the GTID set and binlog position that it stands at.
 *
 * With RELOAD: FLUSH TABLES WITH READ LOCK holds commits back while the transactions begin, for milliseconds.
 *
 * Without it, or when the lock is not had at once: begin optimistically and prove it. A transaction is written to the
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

const LOCK_TIMEOUT_SECONDS = 1;
/** Optimistic attempts between two tries for the lock. */
const ATTEMPTS_IN_A_ROW = 50;

/**
 * Puts every connection, `control` included, into a read-only transaction on the same snapshot.
 * Throws SOURCE_POSITION_UNREADABLE at once, SOURCE_SNAPSHOT_FAILED after the deadline.
 */
export async function openSnapshot(
  control: MysqlConnection,
  workers: readonly MysqlConnection[],
  options: SnapshotOptions,
): Promise<SnapshotMark> {
  const all = [control, ...workers];
  const identity = await readLogIdentity(control);
  await readLogPosition(control);
  const attempts = identity.gtidMode === "ON" ? ATTEMPTS_IN_A_ROW : 0;
  const deadline = performance.now() + options.deadlineMs;
  let mayLock = true;
  do {
    if (mayLock) {
      const locked = await beginLocked(control, all, identity);
      if (typeof locked === "object") return locked;
      mayLock = locked !== "refused";
    }
    if (attempts === 0 && !mayLock) throw lockNeeded(identity.gtidMode);
    for (let attempt = 0; attempt < attempts; attempt++) {
      const verified = await beginVerified(control, all, identity);
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
  all: readonly MysqlConnection[],
  identity: LogIdentity,
): Promise<SnapshotMark | "refused" | "busy"> {
  await control.execute(`SET SESSION lock_wait_timeout = ${LOCK_TIMEOUT_SECONDS}`);
  try {
    await control.execute("FLUSH TABLES WITH READ LOCK");
  } catch (error: unknown) {
    if (!(error instanceof AppError)) throw error;
    if (error.code === "SOURCE_GRANT_MISSING") return "refused";
    if (error.code === "SOURCE_QUERY_FAILED") return "busy";
    throw error;
  }
  await begin(all);
  const consistentAt = (await readState(control)).now;
  const position = { ...identity, ...(await readLogPosition(control)) };
  await control.execute("UNLOCK TABLES");
  return { position, consistentAt, method: "lock" };
}

async function beginVerified(
  control: MysqlConnection,
  all: readonly MysqlConnection[],
  identity: LogIdentity,
): Promise<SnapshotMark | undefined> {
  const before = await readLogPosition(control);
  const state = await readState(control);
  if (!state.settled) return undefined;
  await begin(all);
  const after = await readLogPosition(control);
  const still = after.file === before.file && after.offset === before.offset;
  return still ? { position: { ...identity, ...after }, consistentAt: state.now, method: "verified" } : undefined;
}

async function begin(all: readonly MysqlConnection[]): Promise<void> {
  const statement = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
  await Promise.all(all.map((connection) => connection.execute(statement)));
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
