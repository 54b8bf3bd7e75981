import { hostname, userInfo } from "node:os";
import { AppError, reportError } from "../core/errors.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import type { Check } from "../sources/engine.ts";
import type { Artefact, VerificationResult, WorkResult } from "../sources/work.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { readRunRecord, writeRunRecord, type RunRecord } from "../vault/run-record.ts";
import type { LeaseRecord } from "./lease.ts";
import type { Tally } from "./tally.ts";
import type { JobMessage } from "./message.ts";

/** A run that is under way. */
export interface Run {
  message: JobMessage;
  /** `workName` of the message. */
  name: string;
  runId: string;
  source: SourcePolicy;
  startedAt: Date;
  attempt: number;
}

/** How the work of a run ended. */
export interface WorkOutcome {
  state: "done" | "failed" | "interrupted";
  result: WorkResult;
  failure?: AppError;
}

/** The signed record of a run, with what every kind of job tells in the same places. */
export interface Receipt extends RunRecord {
  details: {
    requestedBy: string;
    dueAt: string | null;
    attempt: number;
    /** The process that worked: user, machine, process id. Null for a run that was closed by another one. */
    worker: string | null;
    /** What was asked for, besides the source: the fields of the message that are the job's own. */
    inputs: Record<string, unknown>;
    figures: WorkResult["figures"];
    checks: Check[];
    artefacts: Artefact[];
    /** Of shipping: runs that had nothing special to tell, between the receipt before and this one. */
    sinceLast?: Tally;
    /** Of a verification; its first problems only. */
    verification?: VerificationResult;
  };
}

/** Signs the receipt of a run that has ended and writes it into every vault of the source. Throws when none took it. */
export async function writeReceipt(
  context: Context,
  run: Run,
  outcome: WorkOutcome,
  sinceLast?: Tally,
): Promise<Receipt> {
  const { message, runId, startedAt, attempt } = run;
  const details: Receipt["details"] = {
    requestedBy: message.requestedBy,
    dueAt: message.dueAt ?? null,
    attempt,
    worker: thisWorker(),
    inputs: inputsOf(message),
    figures: outcome.result.figures,
    checks: outcome.result.checks ?? [],
    artefacts: outcome.result.artefacts ?? [],
    ...(sinceLast && { sinceLast }),
    ...(outcome.result.verification && { verification: outcome.result.verification }),
  };
  const { record } = await writeRunRecord(
    {
      ...commonFields(context, run.source, run.name),
      id: runId,
      state: outcome.state,
      startedAt: startedAt.toISOString(),
      ...(outcome.failure && { error: reportError(outcome.failure) }),
      details,
    },
    await destination(context, run.source),
  );
  return { ...record, details };
}

/** Closes the run of a worker that died holding its lease, unless it had written its receipt already. */
export async function closeInterrupted(
  context: Context,
  source: SourcePolicy,
  job: string,
  lost: LeaseRecord,
): Promise<void> {
  const to = await destination(context, source);
  const trusted = await context.trustedKeys();
  for (const vault of to.vaults) {
    if (await readRunRecord({ vault, source: source.name, trusted }, lost.runId)) return;
  }
  const error = new AppError("JOB_INTERRUPTED", `${job} of ${source.name}: the worker died or was stopped by force`, {
    hint: "The run that found this goes on with the work; look at the host's log if it repeats.",
  });
  await writeRunRecord(
    {
      ...commonFields(context, source, job),
      id: lost.runId,
      state: "interrupted",
      startedAt: lost.startedAt,
      error: reportError(error),
      details: {
        requestedBy: "unknown",
        dueAt: null,
        attempt: lost.attempt,
        worker: null,
        inputs: {},
        figures: {},
        checks: [],
        artefacts: [],
      },
    },
    to,
  );
}

function commonFields({ clock, policy, tool, policyHash }: Context, source: SourcePolicy, job: string) {
  const { environment } = policy;
  return { source: source.name, job, finishedAt: clock().toISOString(), environment, tool, policyHash };
}

async function destination(context: Context, source: SourcePolicy) {
  return { vaults: vaultsOf(context, source), signer: await context.signer(), clock: context.clock };
}

function inputsOf({ v: _version, source: _source, requestedBy: _by, dueAt: _due, ...inputs }: JobMessage) {
  return inputs;
}

function thisWorker(): string {
  return `${userName()}@${hostname()} (${process.pid})`;
}

/** A container may run under a number that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown");
  }
}
