import { parseBytes } from "../core/bytes.ts";
import { parseDuration } from "../core/time.ts";
import type { ErrorReport } from "../core/errors.ts";
import { deepCheckOf } from "../sources/deep-check.ts";
import type { Work, WorkContext, WorkResult } from "../sources/work.ts";
import { vaultsOf } from "../vault/context.ts";
import { readKnownProofs, type ProofsRecord, writeProofs } from "../vault/proofs-record.ts";
import { type Verification, verifySource } from "../vault/verify.ts";
import { type Healing, healBad } from "./heal-bad.ts";
import type { JobMessage } from "./message.ts";

type VerifyMessage = Extract<JobMessage, { job: "verify" }>;

const DAY_MS = 86_400_000;
const MAX_PROBLEMS_IN_RECEIPT = 100;

/**
 * Proves what lies in the vaults of a source, heals what can be healed, and signs what is proven now. On schedule it reads what
 * the day's budget allows and what was not proven within the last day; when somebody asked, everything.
 */
export function verifyWork(message: VerifyMessage): Work {
  return async (work) => {
    const { context, source, signal, progress } = work;
    const vaults = vaultsOf(context, source);
    const trusted = await context.trustedKeys();
    const now = context.clock();
    const query = { vaults, source: source.name, trusted, now, signal };
    const known = await readKnownProofs(query);
    const found = await verifySource({
      ...query,
      ...(message.dueAt === undefined ? {} : limitsOf(work, known, now)),
      known,
      deep: message.deep === true ? await deepCheckOf(context, source) : undefined,
      progress,
    });
    const mayHeal = message.heal ?? source.verify.heal;
    const healing = await healBad(work, found, mayHeal);
    await writeProofs(
      {
        id: work.runId,
        source: source.name,
        startedAt: now.toISOString(),
        finishedAt: context.clock().toISOString(),
        environment: context.policy.environment,
        tool: context.tool,
        policyHash: context.policyHash,
        spent: spentAfter(known, now, found),
        states: found.states(),
      },
      { vaults, signer: await context.signer(), clock: context.clock },
    );
    return resultOf(source.name, found, healing);
  };
}

/** What was proven a short while ago is not read again, however much of the budget is left. */
function againAfterMs(provenWithin: string): number {
  return Math.min(DAY_MS, parseDuration(provenWithin) / 4);
}

function limitsOf({ source }: WorkContext, known: ProofsRecord | undefined, now: Date) {
  const { maxBytesPerDay, maxMinutesPerDay, provenWithin } = source.verify;
  const spent = known?.spent.day === dayOf(now) ? known.spent : { bytes: 0, seconds: 0 };
  return {
    notProvenSince: new Date(now.getTime() - againAfterMs(provenWithin)),
    maxBytes: Math.max(0, parseBytes(maxBytesPerDay) - spent.bytes),
    maxMs: Math.max(0, maxMinutesPerDay * 60_000 - spent.seconds * 1000),
  };
}

function spentAfter(known: ProofsRecord | undefined, now: Date, { report, elapsedMs }: Verification) {
  const day = dayOf(now);
  const before = known?.spent.day === day ? known.spent : { bytes: 0, seconds: 0 };
  return { day, bytes: before.bytes + report.bytes, seconds: before.seconds + elapsedMs / 1000 };
}

function dayOf(instant: Date): string {
  return instant.toISOString().slice(0, "2026-11-22".length);
}

function resultOf(source: string, { report, elapsedMs }: Verification, healing: Healing): WorkResult {
  const { proven, failed, notLooked, bytes, mbPerSecond, problems, unreadable } = report;
  const { healed, lost, unhealed } = healing;
  const figures = {
    proven,
    failed,
    notLooked,
    bytes,
    mbPerSecond,
    seconds: elapsedMs / 1000,
    healed: healed.length,
    lost,
    unhealed,
    unreadableVaults: unreadable.length,
  };
  const verification = { ...report, problems: problems.slice(0, MAX_PROBLEMS_IN_RECEIPT), healed };
  const left = problems.filter(({ vault, blob }) => !healed.some((one) => one.vault === vault && one.blob === blob));
  const error: ErrorReport | undefined = left[0] ?? unreadable[0]?.error;
  if (error === undefined) return { figures, verification };
  const message =
    `${left.length} of ${proven + failed} blobs are wrong or could not be looked at, ` +
    `${unreadable.length} vaults unreadable; first: ${error.message}`;
  const hint = `Run \`resguardo verify ${source}\` to see all of them.`;
  return { figures, verification, error: { code: error.code, message, hint } };
}
