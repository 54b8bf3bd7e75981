import { z } from "zod";
import { AppError, toAppError } from "../core/errors.ts";
import { retry } from "../core/retry.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { listRunRecords, type RunRecord } from "../vault/run-record.ts";
import type { StateRecord } from "../vault/storage/storage.ts";
import type { Vault } from "../vault/vault.ts";
import type { SourceHistory, WorkHistory } from "./due.ts";

/*
 * A source's history is a cache over its run records: `history/{source}` in the state of a vault. When it is absent or
 * damaged it is made again from the records, so losing it costs a listing and no truth.
 */

const workHistory = z.object({
  firstDoneAt: z.string().optional(),
  coveredUntil: z.string().optional(),
  failedAt: z.string().optional(),
});
const historyDocument = z.record(z.string(), workHistory);

/** What the run records say of each piece of work of a source, from the first vault that answers. */
export async function readHistory(context: Context, source: SourcePolicy): Promise<SourceHistory> {
  return fromFirstVault(context, source, async (vault) => {
    const stored = parseHistory(await vault.storage.state.get(keyOf(source)));
    return stored ?? new Map(Object.entries(await storeRebuilt(context, source, vault)));
  });
}

/** Adds a run that has ended to the history. */
export async function addToHistory(
  context: Context,
  source: SourcePolicy,
  run: Pick<RunRecord, "job" | "state" | "startedAt" | "finishedAt">,
): Promise<void> {
  await fromFirstVault(context, source, (vault) =>
    retry(
      async () => {
        const record = await vault.storage.state.get(keyOf(source));
        const stored = parseHistory(record);
        if (!stored) return storeRebuilt(context, source, vault);
        const next = withRun(stored, run);
        await vault.storage.state.put(keyOf(source), encode(next), record ? { etag: record.etag } : "absent");
        return undefined;
      },
      { deadlineMs: 20_000 },
    ),
  );
}

/** The history with one more run in it. Pure. */
export function withRun(
  history: SourceHistory,
  run: Pick<RunRecord, "job" | "state" | "startedAt" | "finishedAt">,
): SourceHistory {
  const before = history.get(run.job) ?? {};
  return new Map(history).set(
    run.job,
    run.state === "done" ? afterSuccess(before, run) : { ...before, failedAt: run.finishedAt },
  );
}

function afterSuccess(before: WorkHistory, { startedAt }: Pick<RunRecord, "startedAt">): WorkHistory {
  const isNewest = before.coveredUntil === undefined || Date.parse(startedAt) > Date.parse(before.coveredUntil);
  return { firstDoneAt: before.firstDoneAt ?? startedAt, coveredUntil: isNewest ? startedAt : before.coveredUntil };
}

async function storeRebuilt(
  context: Context,
  source: SourcePolicy,
  vault: Vault,
): Promise<Record<string, WorkHistory>> {
  const stored = await vault.storage.state.get(keyOf(source));
  let history: SourceHistory = new Map();
  for (const run of await listRunRecords({ vault, source: source.name, trusted: await context.trustedKeys() })) {
    if (run.state === "valid") history = withRun(history, run.content);
  }
  await vault.storage.state.put(keyOf(source), encode(history), stored ? { etag: stored.etag } : "absent");
  return Object.fromEntries(history);
}

/** Asks the vaults in turn; only a storage that does not answer is a reason to ask the next. */
async function fromFirstVault<T>(
  context: Context,
  source: SourcePolicy,
  ask: (vault: Vault) => Promise<T>,
): Promise<T> {
  let failure: unknown;
  for (const vault of vaultsOf(context, source)) {
    try {
      return await ask(vault);
    } catch (error: unknown) {
      if (toAppError(error).kind !== "storage") throw error;
      failure = error;
    }
  }
  throw new AppError("STORAGE_UNAVAILABLE", `${source.name}: no vault answers`, { cause: failure });
}

function keyOf(source: SourcePolicy): string {
  return `history/${source.name}`;
}

function parseHistory(record: StateRecord | undefined): SourceHistory | undefined {
  if (!record) return undefined;
  try {
    const parsed = historyDocument.safeParse(JSON.parse(record.value.toString("utf8")));
    return parsed.data && new Map(Object.entries(parsed.data));
  } catch {
    return undefined;
  }
}

function encode(history: SourceHistory): Buffer {
  return Buffer.from(JSON.stringify(Object.fromEntries(history)));
}
