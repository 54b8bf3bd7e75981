import { AppError, reportError, toAppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { keepLook, type Stretch } from "../vault/observation.ts";
import { writeRunRecord } from "../vault/run-record.ts";
import type { VaultFreshness } from "./evaluate.ts";

const PROBE_TIMEOUT_MS = 10_000;

/**
 * Keeps what this look saw of a source, for the figures of availability and of the RPO. What prevents it is logged: alerts do not
 * wait for it, and the time counts as not observed.
 */
export async function observe(
  context: Context,
  source: SourcePolicy,
  vaults: readonly VaultFreshness[],
  logger: Logger,
): Promise<void> {
  const seen: Record<string, string> = {};
  for (const { vault, state } of vaults) seen[`vault:${vault}`] = state;
  try {
    if (source.probe)
      seen["service"] = await probe(await context.resolve(source.probe, `sources.${source.name}.probe`));
  } catch (error: unknown) {
    logger.error("probe-not-asked", { source: source.name, ...reportError(error) });
  }
  let failure: unknown = new AppError("STORAGE_UNAVAILABLE", `${source.name}: no vault keeps what was seen`);
  for (const { storage } of vaultsOf(context, source)) {
    try {
      await keepLook(storage.state, source.name, seen, context.clock, (id, stretch) =>
        record(context, source, id, stretch),
      );
      return;
    } catch (error: unknown) {
      // Another watch looked in the same moment and keeps it.
      if (toAppError(error).code === "STATE_CONFLICT") return;
      failure = error;
      if (toAppError(error).kind !== "storage") break;
    }
  }
  logger.error("observation-not-kept", { source: source.name, ...reportError(failure) });
}

async function record(context: Context, source: SourcePolicy, id: string, stretch: Stretch): Promise<void> {
  const { policy, policyHash, tool, clock } = context;
  const { from, until, looks, seen } = stretch;
  await writeRunRecord(
    {
      id,
      source: source.name,
      job: "watch",
      state: "done",
      startedAt: from,
      finishedAt: until,
      environment: policy.environment,
      tool,
      policyHash,
      details: { requestedBy: "timer", dueAt: null, attempt: 1, seen, figures: { looks }, checks: [] },
    },
    { vaults: vaultsOf(context, source), signer: await context.signer(), clock },
  );
}

/** What the service says to somebody who asks it from here: no answer is `down`, whoever's fault it is. */
async function probe(url: string): Promise<"up" | "down"> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS), redirect: "manual" });
    await response.body?.cancel();
    return response.status < 400 ? "up" : "down";
  } catch {
    return "down";
  }
}
