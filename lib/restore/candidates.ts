import { AppError, reportError, toAppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import { readRecoveryWindows } from "../sources/log-windows.ts";
import { openBackupReader, type BackupReader } from "../vault/backup-reader.ts";
import { listBackups, type ValidBackup } from "../vault/catalogue.ts";
import { assertComplete } from "../vault/complete.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { type KnownDamage, readDamage } from "../vault/damage.ts";
import type { LogChain } from "../vault/segment-chain.ts";
import { readSegment, type SegmentQuery, type ValidSegment } from "../vault/segment-head.ts";
import { assertValid } from "../vault/segment-heads.ts";
import type { Vault } from "../vault/vault.ts";
import type { Candidate, CandidateWindow } from "./choose.ts";

/** A backup that was found in a vault, verified as far as a listing can. */
export interface FoundBackup extends Candidate {
  at: Vault;
  backup: ValidBackup;
}

/** A window that was found in a vault, with the log that leads through it. */
export interface FoundWindow extends CandidateWindow<FoundBackup> {
  query: SegmentQuery;
  log: { chain: LogChain; last: ValidSegment } | undefined;
}

/**
 * The windows in which something can be restored, in the policy's order of vaults: full backups with a good signature and every
 * blob there with its size, and the log after them. A vault that does not answer is logged and left out, for the others may
 * have what is wanted; when none answers, its error is thrown.
 */
export async function restorableWindows(
  context: Context,
  source: SourcePolicy,
  only: string | undefined,
  options: { logger: Logger; signal: AbortSignal },
): Promise<FoundWindow[]> {
  const { logger, signal } = options;
  const trusted = await context.trustedKeys();
  const found: FoundWindow[] = [];
  let answered = false;
  let failure: AppError | undefined;
  for (const vault of vaultsOf(context, source, only)) {
    try {
      const query = { vault, source: source.name, trusted, signal };
      found.push(...(await windowsIn(query, source.kind, await restorableFulls(query, logger))));
      answered = true;
    } catch (error: unknown) {
      if (toAppError(error).kind !== "storage") throw error;
      logger.warn("vault-unreadable", { source: source.name, vault: vault.name, ...reportError(error) });
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

async function restorableFulls(query: SegmentQuery, logger: Logger): Promise<FoundBackup[]> {
  const { vault } = query;
  const found: FoundBackup[] = [];
  const damage = await readDamage(query);
  for (const backup of await listBackups(query)) {
    if (backup.state !== "valid" || !(await isComplete(vault, backup, damage, logger))) continue;
    found.push({ vault: vault.name, id: backup.id, consistentAt: backup.content.consistentAt, at: vault, backup });
  }
  return found;
}

async function windowsIn(
  query: SegmentQuery,
  kind: SourcePolicy["kind"],
  fulls: readonly FoundBackup[],
): Promise<FoundWindow[]> {
  const positions = fulls.map(({ id, consistentAt, backup }) => {
    return { id, consistentAt, position: backup.content.position };
  });
  const { windows } = await readRecoveryWindows(query, kind, positions);
  return Promise.all(
    windows.map(async ({ from, until, backups, chain }) => ({
      from,
      until,
      fulls: backups.flatMap((id) => fulls.find((full) => full.id === id) ?? []),
      query,
      log: chain && (await withEnd(query, chain)),
    })),
  );
}

async function withEnd(query: SegmentQuery, chain: LogChain): Promise<FoundWindow["log"]> {
  const end = chain.segments.at(-1);
  if (end === undefined) throw new AppError("INVARIANT", "a chain without a segment");
  return { chain, last: assertValid(await readSegment(query, end)) };
}

async function isComplete(vault: Vault, backup: ValidBackup, damage: KnownDamage, logger: Logger): Promise<boolean> {
  try {
    await assertComplete(vault, backup.content, damage);
    return true;
  } catch (error: unknown) {
    if (toAppError(error).kind !== "verify") throw error;
    logger.warn("backup-incomplete", { vault: vault.name, backup: backup.id, ...reportError(error) });
    return false;
  }
}
