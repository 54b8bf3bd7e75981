import { AppError } from "../core/errors.ts";
import type { ValidMerged } from "./merged-blob.ts";
import type { MergeOptions } from "./merge-segments.ts";
import { logPlace } from "./names.ts";
import { proveMerged } from "./prove-merged.ts";
import type { Proof } from "./proofs.ts";
import { recordRemoval, removeRecorded } from "./removal.ts";
import type { LogContents } from "./segment-index.ts";
import type { SegmentEntry } from "./segment-place.ts";

/*
 * merged blob written and proven in its place -> a later verification proves it, by the vault's own ledger -> it is read whole once
 * more -> removal announced -> the segments' own blobs go. Killed at any step, the next run decides anew; nothing goes because a
 * record says so.
 */

/** A merged blob and the segments that lie in it and still have blobs of their own. */
export interface Superseded {
  merged: ValidMerged;
  segments: SegmentEntry[];
  /** A verification after the merge has found the merged blob whole. */
  isProven: boolean;
}

/** What has become superfluous in a vault, by its log and its ledger of proofs. Damaged blobs are left to be healed. Pure. */
export function findSuperseded(
  source: string,
  { alone, merged }: LogContents,
  proofs: ReadonlyMap<string, Pick<Proof, "at">>,
): Superseded[] {
  const own = new Map(alone.map((entry) => [entry.id, entry]));
  const { prefix } = logPlace(source);
  return merged.flatMap((blob) => {
    if (blob.state === "invalid") return [];
    const segments = blob.parts.flatMap((part) => {
      const entry = own.get(part.id);
      return entry?.sha256 === part.sha256 ? [entry] : [];
    });
    const proof = proofs.get(blob.blob.name.slice(prefix.length));
    const isProven = proof !== undefined && proof.at > blob.content.mergedAt;
    return segments.length === 0 ? [] : [{ merged: blob, segments, isProven }];
  });
}

/**
 * Removes the own blobs of segments that a proven merged blob holds; returns the id of the record that announced it. Throws
 * BLOB_DAMAGED where the merged blob is not whole any more, and then nothing is removed; STORAGE_REFUSED without the right to.
 */
export async function removeSuperseded(
  options: MergeOptions,
  { merged, segments, isProven }: Superseded,
): Promise<string> {
  const { vault, source, signal } = options;
  if (!isProven) throw new AppError("INVARIANT", `${merged.blob.name}: was not proven since it was merged`);
  const [problem] = (await proveMerged(options, merged, () => {})).problems;
  if (problem !== undefined) {
    throw new AppError("BLOB_DAMAGED", `${merged.blob.name}: segment ${problem.id}: ${problem.error.message}`, {
      hint: "The segments' own blobs stay; `resguardo verify` heals the merged one from another vault.",
    });
  }
  const { environment, tool, policyHash, signer, clock } = options;
  const items = segments.map(({ id, sha256, sizeBytes }) => {
    return { kind: "segment" as const, id, sha256, sizeBytes, replacedBy: merged.content.id };
  });
  const common = { source, reason: "compaction", environment, tool, policyHash, items };
  const { record } = await recordRemoval({ ...common, vaults: [vault], signer, clock });
  await removeRecorded(vault, record, signal ? { signal } : {});
  return record.id;
}
