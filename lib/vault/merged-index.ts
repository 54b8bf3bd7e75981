import { z } from "zod";
import { parseVersioned, toolSchema } from "./manifest.ts";
import { segmentFacts } from "./segment-facts.ts";

// The index in front of a merged log blob, version 1, as docs/format.md describes it. It only grows.

const VERSION = 1;
const count = z.int().nonnegative();

const partSchema = z.object({
  ...segmentFacts,
  /** Of the segment's signed manifest. */
  manifestBytes: count,
  /** Of its sealed data. */
  dataBytes: count,
});

const indexSchema = z.object({
  format: z.literal("resguardo-merged-log"),
  version: z.literal(VERSION),
  id: z.string(),
  source: z.object({ name: z.string(), kind: z.string() }),
  environment: z.string(),
  /** By the clock of whoever merged. */
  mergedAt: z.iso.datetime(),
  tool: toolSchema,
  policyHash: z.string(),
  /** In the order of their ids, which is the order of their bytes. */
  parts: z.array(partSchema).min(1),
});

export type MergedIndex = z.output<typeof indexSchema>;
export type MergedPart = z.output<typeof partSchema>;

/** Checks the shape. Throws MANIFEST_INVALID or MANIFEST_VERSION. */
export function parseMergedIndex(payload: unknown, name: string): MergedIndex {
  return parseVersioned(payload, indexSchema, "resguardo-merged-log", VERSION, name);
}
