import type { SegmentContent } from "../../vault/segment-manifest.ts";
import type { EngineContent } from "../../vault/manifest.ts";
import type { PlaceInLog, PlaceOfTransaction } from "../engine.ts";
import type { FullPosition } from "./binlog/log-audit.ts";
import { compareOffsets, heldAfter, type LogPosition, logPositionSchema } from "./binlog/log-position.ts";
import { GtidSet, parseGtid } from "./gtid-set.ts";

/** The position that a full backup's manifest has. */
export function toFullPosition(position: EngineContent["position"]): FullPosition {
  const { gtidSet, serverUuid, file, offset } = position;
  return {
    gtidSet: GtidSet.parse(typeof gtidSet === "string" ? gtidSet : ""),
    serverUuid: typeof serverUuid === "string" ? serverUuid : "",
    file: typeof file === "string" ? file : "",
    offset: Number(offset),
  };
}

/**
 * Where a full backup stands in a chain of segments: by its GTID set, or by file and offset where there are no GTIDs. `before`
 * also where it holds what the log never had: nothing leads from such a backup into this log.
 */
export function placeInLog(full: EngineContent["position"], first: SegmentContent, last: SegmentContent): PlaceInLog {
  const position = toFullPosition(full);
  const [start, end] = [logPositionSchema.parse(first.position), logPositionSchema.parse(last.position)];
  return position.gtidSet.isEmpty ? placeByFile(position, start, end) : placeByGtid(position, start, end);
}

function placeByGtid({ gtidSet }: FullPosition, start: LogPosition, end: LogPosition): PlaceInLog {
  if (!gtidSet.contains(GtidSet.parse(start.before))) return "before";
  return heldAfter(end).contains(gtidSet) ? "within" : "after";
}

function placeByFile(full: FullPosition, start: LogPosition, end: LogPosition): PlaceInLog {
  const [run] = start.runs;
  if (full.serverUuid !== start.serverUuid) return "before";
  if (run !== undefined && compareOffsets(full, { file: run.file, offset: run.from }) < 0) return "before";
  return end.end === null || compareOffsets(full, end.end) > 0 ? "after" : "within";
}

/** Where the transaction of a GTID is, for a full backup and the log up to `last`, if there is one. Throws USAGE. */
export function placeOfTransaction(
  text: string,
  full: EngineContent["position"],
  last: SegmentContent | undefined,
): PlaceOfTransaction {
  const gtid = parseGtid(text);
  if (toFullPosition(full).gtidSet.contains(gtid)) return "full";
  if (last === undefined) return "none";
  return heldAfter(logPositionSchema.parse(last.position)).contains(gtid) ? "log" : "none";
}
