import { type ErrorReport, toAppError } from "../core/errors.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import type { Work, WorkContext } from "../sources/work.ts";
import type { Expected } from "../vault/blob-check.ts";
import { readBackup } from "../vault/catalogue.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { type DamageRecord, readDamage, writeDamage } from "../vault/damage.ts";
import { type HealOutcome, healBlob } from "../vault/heal.ts";
import { dataName, dataPrefix, idOfBlob } from "../vault/names.ts";
import type { Vault } from "../vault/vault.ts";

/** A blob that is known to be bad in one vault, and not in every one. */
interface Healable {
  vault: Vault;
  others: Vault[];
  record: DamageRecord;
}

/**
 * Heals what was found bad by somebody who may not remove a blob. The signed statements say where to look; what is done there is
 * decided by reading the blobs anew. Fails where something stays bad that another vault may have whole.
 */
export const healWork: Work = async (work) => {
  const { context, source, signal, logger, progress } = work;
  const started = performance.now();
  const count = { healed: 0, good: 0, removed: 0, unhealed: 0, lost: 0 } satisfies Record<HealOutcome["state"], number>;
  let failure: ErrorReport | undefined;
  const healable = await findHealable(context, source, signal);
  for (const [index, { vault, others, record }] of healable.entries()) {
    signal.throwIfAborted();
    const outcome = await heal(work, vault, others, record);
    count[outcome.state]++;
    if (outcome.state === "unhealed") failure ??= outcome.error;
    logger.warn("blob-looked-after", { vault: vault.name, blob: record.blob, ...outcome });
    progress({ phase: "healing", doneBytes: index + 1, totalBytes: healable.length });
  }
  const figures = { ...count, seconds: (performance.now() - started) / 1000 };
  return failure ? { figures, error: failure } : { figures };
};

async function heal(
  { context, source, signal }: WorkContext,
  vault: Vault,
  others: Vault[],
  { blob, reason }: DamageRecord,
): Promise<HealOutcome> {
  const [trusted, signer] = [await context.trustedKeys(), await context.signer()];
  const { clock } = context;
  const expected = await expectedOf(context, source, [vault, ...others], blob);
  // A manifest that can't be believed is bad itself; once that is healed, it tells what its data has to be.
  if (typeof expected === "object" && "error" in expected) return { state: "unhealed", error: expected.error };
  if (expected) {
    return healBlob({
      vault,
      others,
      source: source.name,
      name: blob,
      expected,
      reason,
      trusted,
      signer,
      clock,
      signal,
    });
  }
  const statement = { source: source.name, blob, state: "removed" as const, where: [vault.name], reason };
  await writeDamage(statement, { vaults: [vault, ...others], signer, clock });
  return { state: "removed" };
}

/**
 * Whether anything is known to be bad in one vault that may be whole in another, and the policy lets it be healed. A vault that does
 * not answer is not judged.
 */
export async function isAnythingHealable(context: Context, source: SourcePolicy): Promise<boolean> {
  return source.verify.heal && (await findHealable(context, source)).length > 0;
}

async function findHealable(context: Context, source: SourcePolicy, signal?: AbortSignal): Promise<Healable[]> {
  const trusted = await context.trustedKeys();
  const known = new Map<Vault, Awaited<ReturnType<typeof readDamage>>>();
  for (const vault of vaultsOf(context, source)) {
    try {
      known.set(vault, await readDamage({ vault, source: source.name, trusted, ...(signal && { signal }) }));
    } catch (error: unknown) {
      if (toAppError(error).kind !== "storage") throw error;
    }
  }
  return Array.from(known).flatMap(([vault, damage]) => {
    const others = [...known.keys()].filter((other) => other !== vault);
    const mayBeWhole = (blob: string) => others.some((other) => !known.get(other)?.has(blob));
    return [...damage.values()].filter(({ blob }) => mayBeWhole(blob)).map((record) => ({ vault, others, record }));
  });
}

/** What belongs in the place of a blob: for data, what a valid manifest in any of the vaults says of it; undefined where none names it. */
async function expectedOf(
  context: Context,
  source: SourcePolicy,
  vaults: readonly Vault[],
  name: string,
): Promise<Expected | { error: ErrorReport } | undefined> {
  if (!name.startsWith(dataPrefix(source.name))) return "record";
  let invalid: { error: ErrorReport } | undefined;
  const id = idOfBlob(source.name, name) ?? "";
  for (const vault of vaults) {
    const backup = await readBackup({ vault, source: source.name, trusted: await context.trustedKeys() }, id);
    if (backup?.state === "invalid") invalid = { error: backup.error };
    if (backup?.state !== "valid") continue;
    const found = backup.content.blobs.find((blob) => dataName(source.name, id, blob.name) === name);
    if (found) return { sizeBytes: found.sizeBytes, sha256: found.sha256 };
  }
  return invalid;
}
