import type { SourcePolicy } from "../core/policy-schema.ts";
import type { LogToReplay } from "../sources/engine.ts";
import { engineOf } from "../sources/engines.ts";
import { readSegmentsAfter } from "../sources/log-plan.ts";
import type { Context } from "../vault/context.ts";
import type { ValidSegment } from "../vault/segment-head.ts";
import { SegmentReader } from "../vault/segment-reader.ts";
import type { FoundBackup, FoundWindow } from "./candidates.ts";
import { choosePoint, formatRestorePoint, type RestorePoint, toMicros } from "./choose.ts";

/** A point of a source's history, with all that leads to it. */
export interface FoundPoint {
  /** As `formatRestorePoint` writes it. */
  requested: string;
  full: FoundBackup;
  /** Nothing that was committed until then is missing; undefined where only the last transaction tells. */
  until: string | undefined;
  /** Undefined where the full backup alone is the point. */
  log: LogToReplay | undefined;
}

/** Finds what leads to a point. Throws NO_BACKUP, TIME_OUTSIDE_WINDOW, USAGE, and what reading the vault throws. */
export async function findPoint(
  context: Context,
  source: SourcePolicy,
  windows: readonly FoundWindow[],
  point: RestorePoint,
): Promise<FoundPoint> {
  const engine = engineOf(source.kind);
  const positionOf = ({ backup }: FoundBackup) => backup.content.position;
  const { full, window } = choosePoint<FoundBackup, FoundWindow>(
    source.name,
    windows,
    point,
    (id, candidate, { log }) => engine.placeOfTransaction(id, positionOf(candidate), log?.last.content),
  );
  const found = { requested: formatRestorePoint(point), full };
  if (point.kind === "backup" || window.log === undefined) {
    return { ...found, until: toMicros(full.consistentAt), log: undefined };
  }
  const until = point.kind === "time" ? point.at : undefined;
  const { query, log } = window;
  const request = { kind: source.kind, chain: log.chain, full: positionOf(full), until };
  const segments = await readSegmentsAfter(query, request);
  const reader = new SegmentReader(query, [await context.decryptionKey()]);
  return {
    ...found,
    until: point.kind === "latest" ? toMicros(window.until) : until,
    log: {
      segments: "transaction" in point ? untilTransaction(segments, point.transaction) : segments,
      read: (segment) => reader.read(segment),
    },
  };

  /** Up to the segment in which the transaction ends. */
  function untilTransaction(all: readonly ValidSegment[], id: string): readonly ValidSegment[] {
    const end = all.findIndex(({ content }) => engine.placeOfTransaction(id, positionOf(full), content) === "log");
    return end === -1 ? all : all.slice(0, end + 1);
  }
}
