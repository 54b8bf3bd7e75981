import { AppError, reportError, toAppError } from "../core/errors.ts";
import type { RestoreTestPolicy, SourcePolicy } from "../core/policy-schema.ts";
import { formatDuration, parseDuration } from "../core/time.ts";
import type { Work, WorkContext, WorkResult } from "../sources/work.ts";
import { vaultsOf } from "../vault/context.ts";
import { measuredBy, rememberMeasured } from "./measured-restores.ts";
import { prepareRestore, type RestoreOutcome, runRestore } from "./restore-source.ts";

const TEAR_DOWN_MS = 10 * 60_000;

/**
 * A restore test: the newest instant that the vaults hold onto the policy's scratch server, compared, measured against RPO and
 * RTO, torn down again. `pitr` may read any vault, `from-zero` only the source's last one, as after the loss of the others.
 * Fails, with every check in the receipt, when anything differs or a promise is missed. Throws what stops the restore.
 */
export function runDrill(kind: RestoreTestPolicy["kind"]): Work {
  return async (work) => {
    const { context, source, logger, progress, signal } = work;
    const startedAt = context.clock();
    const test = findTest(source, kind);
    const prepared = await prepareRestore(context, {
      source: source.name,
      point: { kind: "latest" },
      vault: kind === "from-zero" ? source.vaults.at(-1) : undefined,
      targetUrl: await context.resolve(test.target, `sources.${source.name}.restoreTests.${kind}.target`),
      rename: new Map(),
      intoNonEmpty: false,
      users: false,
      connections: source.connections,
      scratch: true,
      startsOver: true,
      logger,
      progress,
      signal,
    });
    // A drill that was killed left its rows: gone on with, they would make the time of this one look better than it is.
    await prepared.engine.removeRestored(prepared.request, prepared.reader);
    try {
      const outcome = await runRestore(prepared);
      const result = judge(source, outcome, startedAt);
      if (outcome.identical) await remember(work, result);
      return result;
    } finally {
      // Also when the drill itself was stopped: the scratch server is left as it was found.
      const request = { ...prepared.request, signal: AbortSignal.timeout(TEAR_DOWN_MS) };
      await prepared.engine.removeRestored(request, prepared.reader);
    }
  };
}

/** What the drill measured is what later restores are expected to take. */
async function remember(
  { context, source, runId, logger, signal }: WorkContext,
  { figures }: WorkResult,
): Promise<void> {
  const measured = measuredBy(runId, figures);
  if (measured === undefined) throw new AppError("INVARIANT", "the figures of a drill are not what they were");
  const trusted = await context.trustedKeys();
  for (const vault of vaultsOf(context, source)) {
    try {
      await rememberMeasured({ vault, source: source.name, trusted, signal }, measured);
    } catch (error: unknown) {
      if (toAppError(error).kind !== "storage") throw error;
      logger.warn("measured-restore-not-kept", { vault: vault.name, ...reportError(error) });
    }
  }
}

function judge(source: SourcePolicy, outcome: RestoreOutcome, startedAt: Date): WorkResult {
  const { backup, vault, consistentAt, requested, rows, rowsLost, tables, plainBytes, checks, reached } = outcome;
  const promised = {
    rpoPromisedSeconds: parseDuration(source.rpo) / 1000,
    rtoPromisedSeconds: parseDuration(source.rto) / 1000,
  };
  const rpoSeconds = secondsBetween(reached.at, startedAt);
  const measured = { rpoSeconds, rtoSeconds: outcome.seconds };
  const { heartbeatAt } = outcome;
  const steps = Object.fromEntries(outcome.steps.map(({ name, seconds }) => [`${name}Seconds`, seconds]));
  const figures = {
    backup,
    vault,
    consistentAt,
    requested,
    rows,
    rowsLost,
    tables,
    plainBytes,
    reachedAt: reached.at,
    lastCommitAt: reached.lastCommitAt,
    lastTransaction: reached.lastTransaction,
    transactions: outcome.replayed?.transactions ?? null,
    logBytes: outcome.replayed?.logBytes ?? null,
    ...promised,
    ...measured,
    heartbeatAt,
    heartbeatRpoSeconds: heartbeatAt === null ? null : secondsBetween(heartbeatAt, startedAt),
    ...steps,
  };
  const error = findFault(source, outcome, { ...promised, ...measured });
  return { figures, checks, ...(error && { error: reportError(error) }) };
}

/** The instant is by the source's clock, which may be ahead of this one. */
function secondsBetween(instant: string, startedAt: Date): number {
  return Math.max(0, (startedAt.getTime() - Date.parse(instant)) / 1000);
}

type Judged = Record<"rpoSeconds" | "rpoPromisedSeconds" | "rtoSeconds" | "rtoPromisedSeconds", number>;

/** What is worst of what went wrong. */
function findFault(
  { name }: SourcePolicy,
  { checks, identical }: RestoreOutcome,
  judged: Judged,
): AppError | undefined {
  if (!identical) return differs(name, checks);
  const seconds = (amount: number): string => formatDuration(amount * 1000);
  if (judged.rpoSeconds > judged.rpoPromisedSeconds) {
    return new AppError(
      "RPO_MISSED",
      `${name}: the newest instant in the vault is ${seconds(judged.rpoSeconds)} old, promised ${seconds(judged.rpoPromisedSeconds)}`,
      {
        hint: `\`resguardo window ${name}\` shows where the log ends; give the source a schedule.ship, or look why it fails.`,
      },
    );
  }
  if (judged.rtoSeconds <= judged.rtoPromisedSeconds) return undefined;
  return new AppError(
    "RTO_MISSED",
    `${name}: the restore took ${seconds(judged.rtoSeconds)}, promised ${seconds(judged.rtoPromisedSeconds)}`,
    { hint: "Give the target more cores and memory, raise `connections`, or promise a longer RTO." },
  );
}

function differs(source: string, checks: RestoreOutcome["checks"]): AppError {
  const differing = checks.filter(({ ok }) => !ok);
  const names = differing.slice(0, 5).map(({ name }) => name);
  return new AppError(
    "RESTORE_DIFFERS",
    `${source}: ${differing.length} of ${checks.length} checks differ: ${names.join(", ")}`,
    {
      hint: "The receipt has what each check expected and found; treat the backup as damaged until it is explained.",
    },
  );
}

function findTest(source: SourcePolicy, kind: RestoreTestPolicy["kind"]): RestoreTestPolicy {
  const test = source.restoreTests.find((candidate) => candidate.kind === kind);
  if (test) return test;
  const known = source.restoreTests.map((candidate) => candidate.kind).join(", ") || "none";
  throw new AppError("USAGE", `${source.name}: no restore test of kind "${kind}" in the policy, found ${known}`, {
    hint: "Add it to the source's restoreTests, with a schedule and a target.",
  });
}
