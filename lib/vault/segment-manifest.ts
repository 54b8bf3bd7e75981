import { z } from "zod";
import { encryptionSchema, linksSchema, parseVersioned, toolSchema } from "./manifest.ts";

// Segment manifest version 1, as docs/format.md describes it. It only grows, as the manifest of a full does.

const VERSION = 1;
const count = z.int().nonnegative();
const instant = z.iso.datetime();

/** What stands before a segment: nothing less than all of the log since the start of its chain. */
const follows = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("segment"), id: z.string() }),
  /** Nothing before it can be continued into it: only a full backup after `reason` can. */
  z.object({ kind: z.literal("start"), reason: z.string(), message: z.string() }),
]);

/** What an engine knows of the log in a segment. */
const contentSchema = z.object({
  server: z.looseObject({ kind: z.literal("mysql"), version: z.string() }),
  follows,
  /** Commit times by the source's clock, with microseconds; null where no transaction ends in the segment. */
  firstCommitAt: instant.nullable(),
  lastCommitAt: instant.nullable(),
  /** The source had committed nothing by then that is not in the log up to the end of this segment. */
  caughtUpAt: instant.nullable(),
  /** How many transactions end in the segment. */
  transactions: count,
  /** Whether it ends between two transactions. */
  isComplete: z.boolean(),
  /** Where in the log the data lies; `LogPosition` of the engine. */
  position: z.record(z.string(), z.unknown()),
});

const segmentSchema = contentSchema.extend({
  format: z.literal("resguardo-segment"),
  version: z.literal(VERSION),
  id: z.string(),
  source: z.object({ name: z.string(), kind: z.string() }),
  environment: z.string(),
  startedAt: instant,
  finishedAt: instant,
  tool: toolSchema,
  policyHash: z.string(),
  encryption: encryptionSchema,
  /** The sealed bytes behind the manifest. */
  data: z.object({
    sizeBytes: count,
    plainBytes: count,
    chunks: count,
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  vaults: linksSchema,
});

export type SegmentContent = z.output<typeof contentSchema>;
export type SegmentManifest = z.output<typeof segmentSchema>;

/** Checks the shape. Throws MANIFEST_INVALID or MANIFEST_VERSION. */
export function parseSegmentManifest(payload: unknown, name: string): SegmentManifest {
  return parseVersioned(payload, segmentSchema, "resguardo-segment", VERSION, name);
}
