import { type AppError, type ErrorReport, reportError } from "../core/errors.ts";
import type { Work } from "../sources/work.ts";
import { vaultsOf } from "../vault/context.ts";
import { VaultOutcomes } from "../vault/outcome.ts";
import { rotateFulls } from "../vault/rotate-fulls.ts";
import { rotateLog } from "../vault/rotate-log.ts";
import { incomplete, type Rotation } from "../vault/rotation.ts";

/**
 * Wraps the data keys of every full backup and log segment of a source for the keys that the policy names now, in each of its
 * vaults. Fails when anything could not be wrapped, after all else was.
 */
export const rotateKeysWork: Work = async ({ context, source, runId, logger, progress, signal }) => {
  const { policy, policyHash, tool, clock } = context;
  const started = performance.now();
  const vaults = new VaultOutcomes(vaultsOf(context, source));
  const recipients = await context.recipients();
  let doneBytes = 0;
  const rotation: Rotation = {
    source: source.name,
    runId,
    environment: policy.environment,
    policyHash,
    tool,
    trusted: await context.trustedKeys(),
    keys: [await context.decryptionKey()],
    recipients,
    signer: await context.signer(),
    clock,
    vaults,
    signal,
    onDone: (bytes) => progress({ phase: "wrapping data keys", doneBytes: (doneBytes += bytes) }),
  };
  const fulls = await rotateFulls(rotation);
  const log = await rotateLog(rotation, fulls.ids);
  const behind = vaults.report().filter((vault) => vault.state === "behind");
  for (const { vault, error } of behind) logger.error("vault-behind", { vault, ...error });
  const problems = [...fulls.problems, ...log.problems];
  for (const { blob, error } of problems) logger.error("key-not-rotated", { blob, ...error });
  const error = reportOf(incomplete(source.name, problems)) ?? behind[0]?.error;
  return {
    figures: {
      vaultKey: recipients.vault.keyId,
      breakGlassKey: recipients.breakGlass.keyId,
      revised: fulls.revised,
      rewrapped: log.rewrapped,
      notWrapped: problems.length,
      behind: behind.map(({ vault }) => vault).join(", ") || null,
      seconds: (performance.now() - started) / 1000,
    },
    ...(error && { error }),
  };
};

function reportOf(failure: AppError | undefined): ErrorReport | undefined {
  return failure && reportError(failure);
}
