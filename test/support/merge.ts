import type { Clock } from "../../lib/core/time.ts";
import { type MergedElsewhere, mergeSegments, type MergeOptions } from "../../lib/vault/merge-segments.ts";
import type { ValidMerged } from "../../lib/vault/merged-blob.ts";
import type { SegmentQuery } from "../../lib/vault/segment-head.ts";
import { listSegments } from "../../lib/vault/segment-index.ts";
import type { Vault } from "../../lib/vault/vault.ts";
import { SOURCE, testKeys, tickingClock, TOOL } from "./vault-fixture.ts";

const keys = testKeys();

export function segmentQuery(vault: Vault): SegmentQuery {
  return { vault, source: SOURCE, trusted: keys.trusted };
}

export function mergeOptions(vault: Vault, clock: Clock = tickingClock("2026-11-23T01:00:00.000Z")): MergeOptions {
  const { signer } = testKeys(clock);
  return { ...segmentQuery(vault), signer, clock, environment: "test", tool: TOOL, policyHash: "0".repeat(64) };
}

/** Merges the segments of these ids, all of the vault's by default, into one blob. Throws where one of them is damaged. */
export async function merge(vault: Vault, ids?: readonly string[], elsewhere?: MergedElsewhere): Promise<ValidMerged> {
  const { entries } = await listSegments(segmentQuery(vault));
  const chosen = entries.filter(({ id }) => ids?.includes(id) ?? true);
  const outcome = await mergeSegments(mergeOptions(vault), chosen, elsewhere);
  if (outcome.state === "damaged") throw new Error(JSON.stringify(outcome.segments));
  return outcome.merged;
}
