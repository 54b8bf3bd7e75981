import { z } from "zod";
import type { ValidSegment } from "./segment-head.ts";

/** What planning needs of a segment: all of it stands in the segment's own signed manifest. */
export const segmentFacts = {
  id: z.string(),
  /** Of the segment before it; null where a chain starts. */
  follows: z.string().nullable(),
  /** Why a chain starts here. */
  start: z.object({ reason: z.string(), message: z.string() }).nullable(),
  firstCommitAt: z.string().nullable(),
  lastCommitAt: z.string().nullable(),
  caughtUpAt: z.string().nullable(),
  transactions: z.int(),
  isComplete: z.boolean(),
  plainBytes: z.int(),
  /** Hex, of the signed manifest. */
  sha256: z.string(),
  /** The trusted key that vouches for the manifest. */
  signingKeyId: z.string(),
};

export type SegmentFacts = z.output<z.ZodObject<typeof segmentFacts>>;

export function factsOf({ id, sha256, signingKeyId, content }: ValidSegment): SegmentFacts {
  const { follows, firstCommitAt, lastCommitAt, caughtUpAt, transactions, isComplete, data } = content;
  return {
    id,
    follows: follows.kind === "segment" ? follows.id : null,
    start: follows.kind === "start" ? { reason: follows.reason, message: follows.message } : null,
    firstCommitAt,
    lastCommitAt,
    caughtUpAt,
    transactions,
    isComplete,
    plainBytes: data.plainBytes,
    sha256,
    signingKeyId,
  };
}
