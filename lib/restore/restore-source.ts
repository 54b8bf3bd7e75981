import type { Logger } from "../core/log.ts";
import { findSource } from "../core/policy.ts";
import { noProgress, type Progress } from "../core/progress.ts";
import type { Check, RestorePlan, RestoreReport, RestoreRequest, SourceEngine } from "../sources/engine.ts";
import { engineOf } from "../sources/engines.ts";
import type { BackupReader } from "../vault/backup-reader.ts";
import type { Context } from "../vault/context.ts";
import { openFound, restorableBackups } from "./candidates.ts";
import { chooseBackup, type Candidate, type RestorePoint } from "./choose.ts";

export interface RestoreOptions extends Omit<RestoreRequest, "progress"> {
  /** Name of a source in the policy. */
  source: string;
  point: RestorePoint;
  /** Read from this vault only. */
  vault?: string | undefined;
  logger: Logger;
  progress?: Progress;
}

/** Where restored rows come from. */
interface Origin {
  vault: string;
  backup: string;
  consistentAt: string;
}

export interface PlannedRestore extends RestorePlan, Origin {}

export interface RestoreOutcome extends RestoreReport, Origin {
  /** From the first statement on the target to the end of the comparison. */
  seconds: number;
  checks: Check[];
  /** Every check passed, and there was at least one. */
  identical: boolean;
}

/** What a restore would do; changes nothing. Throws NO_BACKUP, TIME_OUTSIDE_WINDOW and what reading the vault throws. */
export async function planRestore(context: Context, options: RestoreOptions): Promise<PlannedRestore> {
  const { chosen, engine, reader, request } = await prepare(context, options);
  return { ...originOf(chosen), ...(await engine.planRestore(request, reader)) };
}

/**
 * Restores and compares. A difference is data (`identical: false` with the failing checks), not an exception; everything
 * that stops the restore throws AppError, and the same call goes on with what was loaded until then.
 */
export async function restoreSource(context: Context, options: RestoreOptions): Promise<RestoreOutcome> {
  const { chosen, engine, reader, request } = await prepare(context, options);
  const outcome = await restoreWith(engine, request, reader, chosen);
  await engine.finishRestore(request, reader);
  return outcome;
}

/** Restores and compares a backup that is already opened; finishing or removing it is left to the caller. */
export async function restoreWith(
  engine: SourceEngine,
  request: RestoreRequest,
  reader: BackupReader,
  chosen: Candidate,
): Promise<RestoreOutcome> {
  const started = performance.now();
  const report = await engine.restore(request, reader);
  const comparing = performance.now();
  const checks = await engine.compare(request, reader);
  const compared = { name: "compare", seconds: (performance.now() - comparing) / 1000 };
  return {
    ...originOf(chosen),
    ...report,
    steps: [...report.steps, compared],
    checks,
    seconds: (performance.now() - started) / 1000,
    identical: checks.length > 0 && checks.every(({ ok }) => ok),
  };
}

async function prepare(context: Context, options: RestoreOptions) {
  const source = findSource(context.policy, options.source);
  const candidates = await restorableBackups(context, source, options.vault, options.logger);
  const chosen = chooseBackup(source.name, candidates, options.point);
  const reader = await openFound(context, chosen, options.signal);
  const request: RestoreRequest = { ...options, progress: options.progress ?? noProgress };
  return { chosen, reader, request, engine: engineOf(source.kind) };
}

function originOf({ vault, id, consistentAt }: Candidate): Origin {
  return { vault, backup: id, consistentAt };
}
