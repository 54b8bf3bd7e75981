import { AppError, reportError, toAppError } from "../core/errors.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import type { Context } from "../vault/context.ts";
import { listBackups } from "../vault/catalogue.ts";
import { assertComplete } from "../vault/complete.ts";
import { readDamage } from "../vault/damage.ts";
import { provenSinceOf, readVaultProofs } from "../vault/proofs.ts";
import { readRecoveryWindows } from "../sources/log-windows.ts";
import { idStart } from "../vault/names.ts";
import type { Vault } from "../vault/vault.ts";
import { readBehind } from "./behind.ts";
import type { VaultView } from "./evaluate.ts";

/**
 * Reads what a vault could restore of a source: the newest backup whose manifest verifies and whose blobs all stand with
 * their sizes. A vault that can't be asked is data here: its freshness is unknown. Throws only what is our own defect.
 */
export async function viewVault(context: Context, vault: Vault, source: SourcePolicy): Promise<VaultView> {
  try {
    const view = await readView(context, vault, source);
    const startedAt = "error" in view ? undefined : view.newest?.startedAt;
    return { ...view, behind: await readBehind(context, vault, source, logStart(startedAt)) };
  } catch (error: unknown) {
    if (toAppError(error).code === "INVARIANT") throw error;
    return { vault: vault.name, error: reportError(error) };
  }
}

/** The log may have started to be shipped this long before a full backup for which it matters. */
const LOOK_BACK_MS = 3_600_000;

/** Ids of the log that leads on from a backup sort after this. */
function logStart(startedAt: string | undefined): string {
  return startedAt === undefined ? "" : idStart(new Date(Date.parse(startedAt) - LOOK_BACK_MS));
}

async function readView(context: Context, vault: Vault, source: SourcePolicy): Promise<VaultView> {
  const query = { vault, source: source.name, trusted: await context.trustedKeys() };
  const [backups, knownDamage, proofs] = await Promise.all([
    listBackups(query),
    readDamage(query),
    readVaultProofs({ ...query, now: context.clock() }),
  ]);
  const provenSince = provenSinceOf(proofs, backups);
  const damaged: Extract<VaultView, { damaged: unknown }>["damaged"] = [];
  for (const backup of backups.toReversed()) {
    if (backup.state === "invalid") {
      damaged.push({ id: backup.id, error: backup.error });
      continue;
    }
    const { id, consistentAt, startedAt, position } = backup.content;
    try {
      await assertComplete(vault, backup.content, knownDamage);
      const full = { id, consistentAt, position };
      const log = await readRecoveryWindows(query, source.kind, [full], logStart(startedAt));
      const { until: restorableUntil = consistentAt, graceUntil = backup.graceUntil } = log.windows.at(-1) ?? {};
      const newest = { id, consistentAt, startedAt, restorableUntil, graceUntil };
      return { vault: vault.name, newest, damaged, provenSince, unusableLog: log.unusable };
    } catch (error: unknown) {
      if (!(error instanceof AppError && error.kind === "verify")) throw error;
      damaged.push({ id, error: reportError(error) });
    }
  }
  return { vault: vault.name, newest: undefined, damaged, provenSince };
}
