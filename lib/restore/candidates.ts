import { type AppError, reportError, toAppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import { openBackupReader, type BackupReader } from "../vault/backup-reader.ts";
import { listBackups, type ValidBackup } from "../vault/catalogue.ts";
import { assertComplete } from "../vault/complete.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import type { Vault } from "../vault/vault.ts";
import type { Candidate } from "./choose.ts";

/** A backup that was found in a vault, verified as far as a listing can. */
export interface FoundBackup extends Candidate {
  at: Vault;
  backup: ValidBackup;
}

/**
 * The backups that can be restored, in the policy's order of vaults: signature good, every blob there with its size.
 * A vault that does not answer is logged and left out, for the others may have what is wanted; when none answers, its
 * error is thrown.
 */
export async function restorableBackups(
  context: Context,
  source: SourcePolicy,
  only: string | undefined,
  logger: Logger,
): Promise<FoundBackup[]> {
  const trusted = await context.trustedKeys();
  const found: FoundBackup[] = [];
  let answered = false;
  let failure: AppError | undefined;
  for (const at of vaultsOf(context, source, only)) {
    try {
      for (const backup of await listBackups({ vault: at, source: source.name, trusted })) {
        if (backup.state === "valid" && (await isComplete(at, backup, logger))) {
          found.push({ vault: at.name, id: backup.id, consistentAt: backup.content.consistentAt, at, backup });
        }
      }
      answered = true;
    } catch (error: unknown) {
      if (toAppError(error).kind !== "storage") throw error;
      logger.warn("vault-unreadable", { source: source.name, vault: at.name, ...reportError(error) });
      failure = toAppError(error);
    }
  }
  if (!answered && failure) throw failure;
  return found;
}

/** Unwraps the backup's data key and opens it for reading, from its own vault alone. */
export async function openFound(
  context: Context,
  { at, backup }: FoundBackup,
  signal: AbortSignal,
): Promise<BackupReader> {
  return openBackupReader({ vault: at, manifest: backup.content, keys: [await context.decryptionKey()], signal });
}

async function isComplete(vault: Vault, backup: ValidBackup, logger: Logger): Promise<boolean> {
  try {
    await assertComplete(vault, backup.content);
    return true;
  } catch (error: unknown) {
    if (toAppError(error).kind !== "verify") throw error;
    logger.warn("backup-incomplete", { vault: vault.name, backup: backup.id, ...reportError(error) });
    return false;
  }
}
