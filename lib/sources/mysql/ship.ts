import { createHash } from "node:crypto";
import { AppError, toAppError } from "../../core/errors.ts";
import { retry } from "../../core/retry.ts";
import type { FullPosition } from "./binlog/log-audit.ts";
import { compareOffsets, heldAfter, type LogPosition } from "./binlog/log-position.ts";
import { SegmentFiller } from "./binlog/segment-filler.ts";
import type { ShipReport } from "../engine.ts";
import type { SegmentSink } from "../../vault/segment-writer.ts";
import { runSession, type SessionOptions } from "./ship-session.ts";

/*
 * connect -> audit (go on, or start a new chain) -> tail, closing a segment every few seconds -> end when the time is over
 * A connection that breaks: what was read is closed, and a new session goes on from the closed segments. A segment is durable
 * when it is stored; the next job goes on from what is stored, so one that is killed costs what it had not stored.
 */

export interface ShipOptions extends Omit<SessionOptions, "serverId" | "replicaUuid" | "onGap"> {
  /** What tells this shipper from others at the server: environment and source. */
  identity: string;
  /** The newest segment in the vault. */
  previous: { id: string; position: LogPosition } | undefined;
  sink: SegmentSink;
}

/** A connection that broke shortly before the end is tried again for this long, so that shipping ends caught up. */
const RECONNECT_MS = 15_000;

/** Ships the server's binary log until `until`. Throws the SOURCE_… codes, LOG_INCIDENT, and what the sink throws. */
export async function shipLog(options: ShipOptions): Promise<ShipReport> {
  const { clock, until, signal, logger } = options;
  const filler = new SegmentFiller(options.sink, options.previous);
  const report = { gaps: [] as ShipReport["gaps"], reconnects: 0 };
  const session: SessionOptions = {
    ...options,
    ...identify(options.identity),
    onGap: (gap) => {
      logger.error("log-gap", gap);
      report.gaps.push(gap);
    },
  };
  await retry(() => shipPastIncidents(filler, session), {
    deadlineMs: Math.max(0, until.getTime() - clock().getTime()) + RECONNECT_MS,
    maxDelayMs: 5000,
    signal,
    onRetry: ({ code, message }) => {
      report.reconnects += 1;
      logger.warn("ship-reconnects", { code, message });
    },
  });
  return {
    ...report,
    segments: filler.segments,
    transactions: filler.transactions,
    plainBytes: filler.plainBytes,
    storedBytes: filler.storedBytes,
    lastCommitAt: filler.lastCommitAt,
    caughtUpAt: filler.storedCaughtUpAt,
    resumedBy: filler.held?.gtidMode === "ON" ? "gtid" : "file",
  };
}

async function shipPastIncidents(filler: SegmentFiller, options: SessionOptions): Promise<void> {
  try {
    await runSession(filler, options);
  } catch (error: unknown) {
    const failure = toAppError(error);
    // A vault that refuses does not become better by another connection to the source.
    if (failure.kind === "storage")
      throw new AppError(failure.code, failure.message, { cause: failure, retryable: false });
    if (failure.code !== "LOG_INCIDENT") throw error;
    const full = fullAfter(filler.held, await options.fulls());
    if (full === undefined) throw error;
    const from = filler.held?.gtidMode === "ON" ? { gtids: full.gtidSet } : { file: full.file, position: full.offset };
    const { message } = failure;
    await runSession(filler, {
      ...options,
      restart: { kind: "restart", reason: "incident", message, before: full.gtidSet, from },
    });
  }
}

/** A full backup that was made after the incident, at which the log ends: the log after it is of use. */
function fullAfter(held: LogPosition | undefined, fulls: readonly FullPosition[]): FullPosition | undefined {
  if (!held?.end) return undefined;
  const { end, serverUuid } = held;
  const set = heldAfter(held);
  return fulls.findLast((full) =>
    full.serverUuid === serverUuid
      ? compareOffsets(full, end) > 0
      : full.gtidSet.contains(set) && !set.contains(full.gtidSet),
  );
}

/** Numbers that are the same for each job of a source, and unlike those of servers, which are mostly small. */
function identify(identity: string): { serverId: number; replicaUuid: string } {
  const digest = createHash("sha256").update(`resguardo/${identity}`).digest();
  const hex = digest.toString("hex", 0, 16);
  const replicaUuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  return { serverId: 0x8000_0000 + (digest.readUInt32LE(16) % 0x7fff_ffff), replicaUuid };
}
