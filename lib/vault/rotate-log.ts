import { newId } from "../core/ids.ts";
import type { Recipient } from "./keys/key.ts";
import { logPlace } from "./names.ts";
import type { SignedRecord } from "./record.ts";
import { includesAll } from "./revisions.ts";
import { copiesOf, describeRewrap, listRewraps, type Rewrap, rewrapKind, WrappedCopies } from "./rewraps.ts";
import { rewrap, type Rotation, type RotationProblem, wantedKeys } from "./rotation.ts";
import { readSegments } from "./segment-heads.ts";
import { listSegments } from "./segment-index.ts";
import type { Vault } from "./vault.ts";
import { writeRecord } from "./write-record.ts";

export interface RotatedLog {
  /** Data keys of the log that were wrapped now, each that of many segments. */
  rewrapped: number;
  problems: RotationProblem[];
}

/** What one vault has of the log, as far as keys go. */
interface VaultLog {
  rewraps: SignedRecord<Rewrap>[];
  /** Data keys that are not wrapped for the wanted keys, by the copies that segments carry. */
  lacking: Map<string, WrappedDataKey>;
  problems: RotationProblem[];
}

interface WrappedDataKey {
  /** A segment that has it. */
  segment: string;
  copies: string[];
  /** As segments carry them, and as earlier rotations wrapped them. */
  recipients: Recipient[];
}

/** What a run that is stopped has to do again at most; a record has about 1 KiB for each. */
const KEYS_IN_A_RECORD = 200;

/** Wraps the data keys of all segments for the wanted keys, in records that name them; the last one names `fulls` as well. */
export async function rotateLog(rotation: Rotation, fulls: readonly string[]): Promise<RotatedLog> {
  const looked = await rotation.vaults.forEach((vault) => readLog(rotation, vault));
  const problems = looked.flatMap(({ result }) => result.problems);
  const lacking = [...new Map(looked.flatMap(({ result }) => [...result.lacking])).values()];
  let rewrapped = 0;
  for (let from = 0; from < lacking.length; from += KEYS_IN_A_RECORD) {
    const dataKeys = await rewrapEach(rotation, lacking.slice(from, from + KEYS_IN_A_RECORD), problems);
    if (dataKeys.length > 0) await write(rotation, { dataKeys });
    rewrapped += dataKeys.length;
  }
  const isClosed = looked.every(({ result }) => isLastOf(rotation, result.rewraps, fulls));
  const hasAny = fulls.length > 0 || rewrapped > 0;
  if (problems.length === 0 && hasAny && (rewrapped > 0 || !isClosed)) await write(rotation, { dataKeys: [], fulls });
  return { rewrapped, problems };
}

async function readLog(rotation: Rotation, vault: Vault): Promise<VaultLog> {
  const { source, trusted, signal } = rotation;
  const query = { vault, source, trusted, signal };
  const rewraps = await listRewraps(query);
  const copies = new WrappedCopies(rewraps);
  const { entries, damaged } = await listSegments(query);
  const problems = damaged.map(({ id, error }) => ({ blob: logPlace(source).nameOf(id), error }));
  const lacking: VaultLog["lacking"] = new Map();
  const wanted = wantedKeys(rotation);
  for await (const segment of readSegments(query, entries)) {
    rotation.onDone(segment.sizeBytes);
    if (segment.state === "invalid") problems.push({ blob: segment.name, error: segment.error });
    // A segment without log in it is never opened.
    else if (segment.content.data.plainBytes > 0) {
      const own = segment.content.encryption.recipients;
      const recipients = copies.with(own);
      const name = copiesOf(own).join();
      if (!includesAll(recipients, wanted))
        lacking.set(name, { segment: segment.name, copies: copiesOf(own), recipients });
    }
  }
  return { rewraps, lacking, problems };
}

async function rewrapEach(
  rotation: Rotation,
  dataKeys: readonly WrappedDataKey[],
  problems: RotationProblem[],
): Promise<Rewrap["dataKeys"]> {
  const wrapped: Rewrap["dataKeys"] = [];
  for (const { segment, copies, recipients } of dataKeys) {
    rotation.signal.throwIfAborted();
    const anew = await rewrap(rotation, recipients, (error) => problems.push({ blob: segment, error }));
    if (anew) wrapped.push({ copies, recipients: anew });
  }
  return wrapped;
}

async function write(
  rotation: Rotation,
  part: { dataKeys: Rewrap["dataKeys"]; fulls?: readonly string[] },
): Promise<void> {
  const { source, runId, environment, tool, policyHash, signer, clock, recipients, vaults } = rotation;
  const now = clock();
  const id = newId(now);
  const head = { id, source, run: runId, madeAt: now.toISOString(), environment, tool, policyHash };
  const keys = [
    { ...recipients.vault, use: "vault" as const },
    { ...recipients.breakGlass, use: "break-glass" as const },
  ];
  const contentOf = (links: Rewrap["vaults"]): Rewrap =>
    describeRewrap({
      ...head,
      for: wantedKeys(rotation),
      dataKeys: part.dataKeys,
      ...(part.fulls && { fulls: [...part.fulls] }),
      vaults: links,
    });
  await writeRecord({ kind: rewrapKind, source, id, contentOf, signer, clock, keys }, vaults);
}

/** Whether the newest record says already what the last one of this rotation would. */
function isLastOf(rotation: Rotation, rewraps: readonly SignedRecord<Rewrap>[], fulls: readonly string[]): boolean {
  const newest = rewraps.findLast((record) => record.state === "valid" && record.content.fulls !== undefined);
  if (newest?.state !== "valid") return false;
  const named = new Set(newest.content.fulls);
  const isForThese = wantedKeys(rotation).every(({ keyId }) => newest.content.for.some((key) => key.keyId === keyId));
  return isForThese && fulls.every((id) => named.has(id));
}
