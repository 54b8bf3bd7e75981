import { findSource } from "../core/policy.ts";
import type { Logger } from "../core/log.ts";
import { noProgress, type Progress } from "../core/progress.ts";
import { engineOf } from "../sources/engines.ts";
import type { Check, RestorePlan, RestoreReport, RestoreRequest } from "../sources/engine.ts";
import type { Context } from "../vault/context.ts";
import { chooseBackup, type RestorePoint } from "./choose.ts";
import { openChosen, restorableBackups } from "./candidates.ts";

export interface RestoreOptions extends Omit<RestoreRequest, "progress"> {
  /** Name of a source in the policy. */
  source: string;
  point: RestorePoint;
  /** Read from this vault only. */
  vault?: string | undefined;
  logger: Logger;
  progress?: Progress;
}

interface Origin {
  source: string;
  vault: string;
  backup: string;
  consistentAt: string;
}

export interface PlannedRestore extends RestorePlan, Origin {}

export interface RestoreOutcome extends RestoreReport, Origin {
  /** From the first byte asked for to the end of the comparison. */
  seconds: number;
  checks: Check[];
  /** Every check passed, and there was at least one. */
  identical: boolean;
}

/** What a restore would do; changes nothing. Throws NO_BACKUP, TIME_OUTSIDE_WINDOW and what reading the vault throws. */
export async function planRestore(context: Context, options: RestoreOptions): Promise<PlannedRestore> {
  const { origin, engine, reader, request } = await prepare(context, options);
  return { ...origin, ...(await engine.planRestore(request, reader)) };
}

/**
 * Restores and compares. A difference is data (`identical: false` with the failing checks), not an exception; everything
 * that stops the restore throws AppError, and what was loaded until then can be continued by the same call.
 */
export async function restoreSource(context: Context, options: RestoreOptions): Promise<RestoreOutcome> {
  const started = performance.now();
  const { origin, engine, reader, request } = await prepare(context, options);
  const report = await engine.restore(request, reader);
  const comparing = performance.now();
  const checks = await engine.compare(request, reader);
  const compared = { name: "compare", seconds: (performance.now() - comparing) / 1000 };
  return {
    ...origin,
    ...report,
    steps: [...report.steps, compared],
    checks,
    seconds: (performance.now() - started) / 1000,
    identical: checks.length > 0 && checks.every(({ ok }) => ok),
  };
}

async function prepare(context: Context, options: RestoreOptions) {
  const source = findSource(context.policy, options.source);
  const candidates = await restorableBackups(context, source, options.vault);
  const chosen = chooseBackup(source.name, candidates, options.point);
  const reader = await openChosen(context, source, chosen);
  const { consistentAt, vault, id } = chosen;
  const request: RestoreRequest = { ...options, progress: options.progress ?? noProgress };
  return { origin: { source: source.name, vault, backup: id, consistentAt }, engine: engineOf(source.kind), reader, request };
}
