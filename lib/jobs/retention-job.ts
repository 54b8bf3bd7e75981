import { reportError, type ErrorReport } from "../core/errors.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import { parseDuration } from "../core/time.ts";
import type { Work, WorkContext, WorkResult } from "../sources/work.ts";
import { listBackups } from "../vault/catalogue.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { recordRemoval, type RemovedItem, removeRecorded } from "../vault/removal.ts";
import { moveTiers } from "../vault/retention/move-tiers.ts";
import type { Vault } from "../vault/vault.ts";
import { removeMergedOriginals } from "./remove-superseded.ts";
import { planVault, type VaultRetention } from "./plan-retention.ts";

/*
 * For each vault: what a proven merged blob holds loses its own blobs; then plan -> removal record, signed -> blobs. Killed after a
 * record, the next run plans anew from what is there, announces that and goes on; nothing is removed because a record says so.
 */

/** The job of the timer `retention`: fails when a vault could not be read, or where nothing may go because of a doubt. */
export const retentionWork: Work = async (work) => {
  const { context, source, logger } = work;
  const removed: RemovedItem[] = [];
  const removals: string[] = [];
  const problems: { vault: string; error: ErrorReport }[] = [];
  const merged = { segments: 0, bytes: 0, waiting: 0 };
  let notBefore = 0;
  let movedBytes = 0;
  for (const vault of vaultsOf(context, source)) {
    try {
      const superseded = await removeMergedOriginals(work, vault);
      merged.segments += superseded.segments;
      merged.bytes += superseded.bytes;
      merged.waiting += superseded.waiting;
      notBefore += superseded.notBefore;
      problems.push(...superseded.problems.map((error) => ({ vault: vault.name, error })));
      const plan = await planVault(context, source, vault, work.signal);
      notBefore += plan.notBefore.length;
      if (plan.refused !== undefined) {
        problems.push({ vault: vault.name, error: refusal(vault, plan.refused) });
        continue;
      }
      const removal = await remove(work, vault, plan);
      if (removal !== undefined) {
        removals.push(removal);
        removed.push(...plan.removals);
        logger.info("removed", { vault: vault.name, removal, items: plan.removals.length, bytes: plan.bytes });
      }
      // What goes now is not moved first: a cheaper tier asks a fee for what leaves it early.
      movedBytes += await moveOld(work, vault);
    } catch (error: unknown) {
      work.signal.throwIfAborted();
      problems.push({ vault: vault.name, error: reportError(error) });
    }
  }
  const figures = {
    ...figuresOf(removed),
    mergedSegments: merged.segments,
    mergedBytes: merged.bytes,
    mergedWaiting: merged.waiting,
    movedBytes,
    notBefore,
    removals: removals.join(", ") || null,
  };
  return { figures, ...failureOf(source, problems) };
};

/** Announces and removes; returns the id of the record, if there was anything to remove. */
async function remove(work: WorkContext, vault: Vault, plan: VaultRetention): Promise<string | undefined> {
  if (plan.removals.length === 0) return undefined;
  const record = await announce(work.context, work.source, vault, plan.removals);
  await removeRecorded(vault, record, { signal: work.signal });
  return record.id;
}

/** To cheaper tiers, by the policy. */
async function moveOld({ context, source, signal }: WorkContext, vault: Vault): Promise<number> {
  const { coolAfter, archiveAfter } = source.retention;
  const rules = {
    coolAfterMs: coolAfter === undefined ? undefined : parseDuration(coolAfter),
    archiveAfterMs: archiveAfter === undefined ? undefined : parseDuration(archiveAfter),
  };
  const backups = await listBackups({ vault, source: source.name, trusted: await context.trustedKeys(), signal });
  const valid = backups.filter((backup) => backup.state === "valid");
  return moveTiers(vault, source.name, valid, rules, await vault.storage.now(), { signal });
}

async function announce(context: Context, source: SourcePolicy, vault: Vault, items: RemovedItem[]) {
  const { policy, policyHash, tool, clock } = context;
  const { record } = await recordRemoval({
    vaults: [vault],
    source: source.name,
    reason: "retention",
    environment: policy.environment,
    tool,
    policyHash,
    signer: await context.signer(),
    clock,
    items,
  });
  return record;
}

function figuresOf(removed: readonly RemovedItem[]) {
  const count = (...kinds: RemovedItem["kind"][]) => removed.filter(({ kind }) => kinds.includes(kind)).length;
  return {
    removedFulls: count("full"),
    removedSegments: count("segment"),
    removedOrphans: count("orphan"),
    removedRecords: count("run", "proofs"),
    removedBytes: removed.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0),
  };
}

function refusal(vault: Vault, reason: string): ErrorReport {
  return {
    code: "RETENTION_REFUSED",
    message: `vault ${vault.name}: nothing was removed: ${reason}`,
    hint: "Nothing goes while in doubt. It is asked for again in an hour; `resguardo retention --dry-run` shows the plan.",
  };
}

function failureOf(
  source: SourcePolicy,
  problems: readonly { vault: string; error: ErrorReport }[],
): Pick<WorkResult, "error"> {
  const [first] = problems;
  if (first === undefined) return {};
  const { code, message, hint } = first.error;
  const others = problems.length > 1 ? `; ${problems.length - 1} more vaults of ${source.name}` : "";
  return { error: { code, message: message + others, ...(hint !== undefined && { hint }) } };
}
