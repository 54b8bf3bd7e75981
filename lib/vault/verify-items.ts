import { type ErrorReport, reportError } from "../core/errors.ts";
import { compareBlob } from "./compare-blob.ts";
import { mapInOrder } from "./map-in-order.ts";
import type { BlobRecord } from "./manifest.ts";
import { dataName } from "./names.ts";
import type { VerifyBudget } from "./verify-budget.ts";
import type { Evidence } from "./verify-evidence.ts";
import { FullTrace, noteThing } from "./verify-notes.ts";
import type { Look } from "./verify-look.ts";
import type { VerifyItem } from "./verify-plan.ts";
import type { Outcome, VerifyTally } from "./verify-report.ts";
import { lookAtLog, lookAtRecord } from "./verify-things.ts";
import type { Vault } from "./vault.ts";

/** Small blobs would mostly wait for each other; large ones fill this many buffers of the storage's. */
const BLOBS_IN_FLIGHT = 4;

export interface LookContext {
  look: Look;
  budget: VerifyBudget;
  tally: VerifyTally;
  evidence: Evidence;
  /** What is proven now was proven at this instant or later. ISO 8601. */
  at: string;
}

/** A blob that was seen to be wrong or missing. */
export interface BadBlob {
  vault: Vault;
  blob: string;
  /** What a manifest says of it; `record` for what carries a signature of its own. */
  expected: Pick<BlobRecord, "sizeBytes" | "sha256"> | "record";
  reason: ErrorReport;
  /** To be called when it was replaced and read back: then it is proven as well. */
  healed: () => void;
}

/** A blob of a backup, by its place in the manifest, or a thing of its own. */
interface Step {
  item: VerifyItem;
  blob: string;
  /** Undefined for a thing. */
  record: BlobRecord | undefined;
}

interface Seen extends Step {
  outcome: Outcome;
  error: unknown;
}

/** Looks at the items in their order, as far as the budget goes, and notes in the ledgers what it found. */
export async function lookAtItems(items: readonly VerifyItem[], context: LookContext): Promise<BadBlob[]> {
  const bad: BadBlob[] = [];
  const traces = new Map<VerifyItem, FullTrace>();
  for await (const seen of mapInOrder(stepsOf(items, context, traces), BLOBS_IN_FLIGHT, (step) =>
    take(step, context),
  )) {
    const { item, blob, record, outcome, error } = seen;
    const isDeep = context.look.deep !== undefined;
    if (item.kind === "full") traces.get(item)?.add(blob, outcome, error);
    else noteThing(item, blob, outcome, error, { at: context.at, isDeep });
    if (outcome !== "failed") continue;
    const expected = record ? { sizeBytes: record.sizeBytes, sha256: record.sha256 } : "record";
    const proving = { at: context.at, isDeep: false };
    const healed = (): void => {
      if (item.kind === "full") traces.get(item)?.healed(blob);
      else noteThing(item, blob, "proven", undefined, proving);
    };
    bad.push({ vault: item.ledger.survey.vault, blob, expected, reason: reportError(error), healed });
  }
  for (const trace of traces.values()) trace.note();
  return bad;
}

function* stepsOf(
  items: readonly VerifyItem[],
  { look, tally, at }: LookContext,
  traces: Map<VerifyItem, FullTrace>,
): Generator<Step, void, void> {
  for (const item of items) {
    if (item.kind === "thing") {
      yield { item, blob: item.ledger.nameIn(item.place, item.thing.name), record: undefined };
      continue;
    }
    const { content, id, sizeBytes } = item.entry;
    traces.set(item, new FullTrace(item, { at, isDeep: look.deep !== undefined }));
    // The survey has read the manifest and verified it.
    look.read(sizeBytes);
    tally.proven++;
    for (const record of content.blobs.slice(item.start?.blobs)) {
      yield { item, blob: dataName(content.source.name, id, record.name), record };
    }
  }
}

async function take(step: Step, { look, budget, tally, evidence }: LookContext): Promise<Seen> {
  const { item, blob } = step;
  if (budget.isOver) {
    tally.notLooked++;
    return { ...step, outcome: "unseen", error: undefined };
  }
  try {
    await lookAt(step, look, evidence);
    tally.proven++;
    return { ...step, outcome: "proven", error: undefined };
  } catch (error: unknown) {
    const outcome = tally.judge(item.ledger.survey.vault.name, blob, error, look.signal);
    return { ...step, outcome, error };
  }
}

async function lookAt({ item, blob, record }: Step, look: Look, evidence: Evidence): Promise<void> {
  const { ledger } = item;
  const { vault } = ledger.survey;
  if (item.kind === "full") {
    if (record === undefined) return;
    if (look.deep === undefined) {
      await compareBlob({ vault, name: blob, offset: 0 }, record, { signal: look.signal, onRead: look.read });
    } else {
      await look.deep.openBlob(vault, item.entry.content, record, look.signal);
      look.read(record.sizeBytes);
    }
  } else if (item.place === "log") evidence.addSegments(ledger, await lookAtLog(look, ledger, item.thing));
  else {
    const payload = await lookAtRecord(look, ledger, item.place, item.thing.name);
    // What an older receipt names was looked for when the receipt was first seen; since then the ledger tells.
    const isNew = ledger.places.get(item.place)?.has(item.thing.name) !== true;
    if (item.place === "runs" && isNew) evidence.addReceipt(payload);
  }
}
