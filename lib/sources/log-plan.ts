import type { SourcePolicy } from "../core/policy-schema.ts";
import { AppError } from "../core/errors.ts";
import type { EngineContent } from "../vault/manifest.ts";
import { type LogChain, startBefore } from "../vault/segment-chain.ts";
import { readSegment, type SegmentQuery, type ValidSegment } from "../vault/segment-head.ts";
import { assertValid, readValidSegments } from "../vault/segment-heads.ts";
import type { SegmentEntry } from "../vault/segment-place.ts";
import { engineOf } from "./engines.ts";

export interface LogRequest {
  kind: SourcePolicy["kind"];
  /** The window's. */
  chain: LogChain;
  /** Of the full backup that the log is replayed after. */
  full: EngineContent["position"];
  /** Nothing that was committed later is wanted; ISO 8601 with microseconds. Absent is everything. */
  until?: string | undefined;
}

/**
 * The segments that lead from a full backup on, oldest first, each verified: from the first that holds anything the backup does
 * not, to the first that begins after `until`. Throws the code of a segment that can't be believed any more.
 */
export async function readSegmentsAfter(query: SegmentQuery, request: LogRequest): Promise<ValidSegment[]> {
  const { segments } = request.chain;
  const start = await findFirstSegment(query, request);
  const isLater = ({ firstCommitAt }: SegmentEntry) =>
    request.until !== undefined && firstCommitAt !== null && firstCommitAt > request.until;
  const end = segments.findIndex((entry, index) => index >= start && isLater(entry));
  // The one that begins later ends the transaction that the one before may have left unfinished.
  const wanted = segments.slice(start, end === -1 ? undefined : end + 1);
  return Array.fromAsync(readValidSegments(query, wanted));
}

/**
 * The index of the first segment that holds anything the backup does not. By halves: a backup is `before` a segment that something
 * it lacks stands in front of, and then before all later ones.
 */
export async function findFirstSegment(query: SegmentQuery, { kind, chain, full }: LogRequest): Promise<number> {
  const { segments } = chain;
  const engine = engineOf(kind);
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = segments[middle];
    if (entry === undefined) throw new AppError("INVARIANT", "a chain with a hole");
    const { content } = assertValid(await readSegment(query, entry));
    if (engine.placeInLog(full, content, content) === "before") high = middle;
    else low = middle + 1;
  }
  // A transaction that is cut has segments in the middle of which nothing is missing yet, and nothing begins either.
  return startBefore(segments, Math.max(0, low - 1));
}
