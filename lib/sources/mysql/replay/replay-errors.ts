import { AppError } from "../../../core/errors.ts";
import type { BinlogEvent } from "../binlog/event.ts";
import { readIncident } from "../binlog/event-bodies.ts";
import { formatStopPoint, type StopPoint } from "./stop-point.ts";

export function incident(event: BinlogEvent): AppError {
  const { number } = readIncident(event);
  return new AppError("RESTORE_FAILED", `the log holds incident ${number}: the source lost changes there`, {
    hint: "Restore up to before it, or from a backup that was taken after it.",
  });
}

export function unknownEvent(type: number): AppError {
  return new AppError("SOURCE_UNSUPPORTED", `the log holds an event of type ${type}, which can't be replayed`, {
    hint: "The source is newer than this program: update the program.",
  });
}

export function cutOff(): AppError {
  return new AppError("RESTORE_FAILED", "the log is not whole: a transaction starts or ends where it can't", {
    hint: "Run resguardo verify: it says which pieces of the log are damaged or missing.",
  });
}

export function neverSeen(stop: StopPoint): AppError {
  return new AppError("TIME_OUTSIDE_WINDOW", `${formatStopPoint(stop)}: the log does not hold that transaction`, {
    hint: "Look for the GTID with resguardo changes; everything that the log holds is on the target now.",
  });
}

export function halfWritten(): AppError {
  return new AppError("RESTORE_FAILED", "the replay was interrupted while it wrote a table without transactions", {
    hint: "Its rows can't be taken back: start the restore again from the backup, and let such tables become InnoDB.",
  });
}

export function lostTemporaryTables(): AppError {
  return new AppError("RESTORE_FAILED", "the replay was interrupted while the log had temporary tables open", {
    hint: "They are gone with its connection: start the restore again from the backup.",
  });
}
