import { planCompaction } from "./compaction-plan.ts";
import type { ValidMerged } from "./merged-blob.ts";
import { type MergedElsewhere, type MergeOptions, mergeSegments } from "./merge-segments.ts";
import type { DamagedSegment } from "./segment-hours.ts";
import type { LogContents } from "./segment-index.ts";
import type { SegmentEntry } from "./segment-place.ts";
import type { Vault } from "./vault.ts";

/** What one vault holds of the log. */
export interface VaultLog {
  vault: Vault;
  contents: LogContents;
}

/** A blob that is to be made of these segments, in order; `elsewhere` has it already. */
export interface MergeStep {
  segments: SegmentEntry[];
  elsewhere?: MergedElsewhere;
}

export interface CompactionReport {
  /** What was written and read back. */
  merged: ValidMerged[];
  /** Segments that turned out to be damaged and stay where they are. */
  damaged: DamagedSegment[];
}

/**
 * What is to be merged in a vault. Where another vault has merged the same segments, the same blob is made of this vault's own:
 * so the vaults can be compared with each other, and heal each other, by the names of blobs. Pure.
 */
export function stepsFor(log: VaultLog, others: readonly VaultLog[], before: Date): MergeStep[] {
  const made = others.flatMap(({ vault, contents }) =>
    contents.merged.flatMap((merged) => (merged.state === "valid" ? [{ vault, merged }] : [])),
  );
  const held = new Set(partsOf(log.contents).map(({ id }) => id));
  const alone = new Map(log.contents.alone.map((entry) => [entry.id, entry]));
  const steps: MergeStep[] = [];
  for (const elsewhere of made) {
    const segments = elsewhere.merged.parts.flatMap((part) => {
      const own = alone.get(part.id);
      return own?.sha256 === part.sha256 && !held.has(part.id) ? [own] : [];
    });
    if (segments.length < elsewhere.merged.parts.length) continue;
    for (const { id } of segments) held.add(id);
    steps.push({ segments, elsewhere });
  }
  const taken = steps.map(({ elsewhere }) => elsewhere?.merged).filter((merged) => merged !== undefined);
  const rest = { ...log.contents, merged: [...log.contents.merged, ...taken] };
  return [...steps, ...planCompaction(rest, before).map((segments) => ({ segments }))];
}

/** Does what is planned, one blob after the other. Throws what storage and signer throw; what was written stays. */
export async function compactVault(options: MergeOptions, steps: readonly MergeStep[]): Promise<CompactionReport> {
  const report: CompactionReport = { merged: [], damaged: [] };
  const left = steps.toReversed();
  for (let step = left.pop(); step !== undefined; step = left.pop()) {
    options.signal?.throwIfAborted();
    const { segments, elsewhere } = step;
    const outcome = await mergeSegments(options, segments, elsewhere);
    if (outcome.state === "merged") {
      report.merged.push(outcome.merged);
      continue;
    }
    report.damaged.push(...outcome.segments);
    left.push(...around(segments, new Set(outcome.segments.map(({ id }) => id))).toReversed());
  }
  return report;
}

/** What is left of a group without the damaged ones: nothing is merged across them. */
function around(segments: readonly SegmentEntry[], damaged: ReadonlySet<string>): MergeStep[] {
  const groups: SegmentEntry[][] = [[]];
  for (const entry of segments) {
    if (damaged.has(entry.id)) groups.push([]);
    else groups.at(-1)?.push(entry);
  }
  return groups.filter(({ length }) => length > 1).map((group) => ({ segments: group }));
}

function partsOf({ merged }: LogContents): ValidMerged["parts"] {
  return merged.flatMap((blob) => (blob.state === "valid" ? blob.parts : []));
}
