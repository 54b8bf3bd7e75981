import { AppError, reportError } from "../core/errors.ts";
import type { RestoreTestPolicy, SourcePolicy } from "../core/policy-schema.ts";
import { parseDuration } from "../core/time.ts";
import { engineOf } from "../sources/engines.ts";
import type { Work, WorkResult } from "../sources/work.ts";
import { openFound, restorableBackups } from "./candidates.ts";
import { chooseBackup } from "./choose.ts";
import { restoreWith, type RestoreOutcome } from "./restore-source.ts";

const TEAR_DOWN_MS = 10 * 60_000;

/**
 * A restore test: the newest backup onto the policy's scratch server, compared, measured against the RTO, torn down again.
 * Fails, with every check in the receipt, when anything differs or the RTO is missed. Throws what stops the restore.
 */
export function runDrill(kind: RestoreTestPolicy["kind"]): Work {
  return async ({ context, source, logger, progress, signal }) => {
    const test = findTest(source, kind);
    const targetUrl = await context.resolve(test.target, `sources.${source.name}.restoreTests.${kind}.target`);
    const chosen = chooseBackup(source.name, await restorableBackups(context, source, undefined, logger), {
      kind: "latest",
    });
    const reader = await openFound(context, chosen, signal);
    const engine = engineOf(source.kind);
    const { connections } = source;
    const rename = new Map<string, string>();
    const common = { targetUrl, rename, intoNonEmpty: false, users: false, connections, scratch: true };
    const request = { ...common, logger, progress, signal };
    try {
      return judge(source, await restoreWith(engine, request, reader, chosen));
    } finally {
      // Also when the drill itself was stopped: the scratch server is left as it was found.
      await engine.removeRestored({ ...request, signal: AbortSignal.timeout(TEAR_DOWN_MS) }, reader);
    }
  };
}

function judge(source: SourcePolicy, outcome: RestoreOutcome): WorkResult {
  const rtoPromisedSeconds = parseDuration(source.rto) / 1000;
  const rtoSeconds = outcome.seconds;
  const { backup, vault, consistentAt, rows, tables, plainBytes, checks } = outcome;
  const steps = Object.fromEntries(outcome.steps.map(({ name, seconds }) => [`${name}Seconds`, seconds]));
  const figures = { backup, vault, consistentAt, rows, tables, plainBytes, rtoSeconds, rtoPromisedSeconds, ...steps };
  const differing = checks.filter(({ ok }) => !ok);
  if (!outcome.identical) {
    const names = differing
      .slice(0, 5)
      .map(({ name }) => name)
      .join(", ");
    const error = new AppError(
      "RESTORE_DIFFERS",
      `${source.name}: ${differing.length} of ${checks.length} checks differ: ${names}`,
      {
        hint: "The receipt has what each check expected and found; treat the backup as damaged until it is explained.",
      },
    );
    return { figures, checks, error: reportError(error) };
  }
  if (rtoSeconds <= rtoPromisedSeconds) return { figures, checks };
  const error = new AppError(
    "RTO_MISSED",
    `${source.name}: the restore took ${Math.round(rtoSeconds)} s, promised ${rtoPromisedSeconds} s`,
    {
      hint: "Give the target more cores and memory, raise `connections`, or promise a longer RTO.",
    },
  );
  return { figures, checks, error: reportError(error) };
}

function findTest(source: SourcePolicy, kind: RestoreTestPolicy["kind"]): RestoreTestPolicy {
  const test = source.restoreTests.find((candidate) => candidate.kind === kind);
  if (test) return test;
  const known = source.restoreTests.map((candidate) => candidate.kind).join(", ") || "none";
  throw new AppError("USAGE", `${source.name}: no restore test of kind "${kind}" in the policy, found ${known}`, {
    hint: "Add it to the source's restoreTests, with a schedule and a target.",
  });
}
