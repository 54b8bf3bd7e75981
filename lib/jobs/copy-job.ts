import { type ErrorReport, reportError, toAppError } from "../core/errors.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import type { Work, WorkContext } from "../sources/work.ts";
import { catchUp, type CatchUpReport } from "../vault/catch-up.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { findLackOfBackups } from "../vault/lack.ts";
import { idStart } from "../vault/names.ts";
import type { Vault } from "../vault/vault.ts";

/** What the timer looks at each minute; older holes are found when all names are compared. */
const QUICK_LOOK_MS = 3_600_000;
/** What is younger may be on its way into this vault at this moment. */
const GRACE_MS = 60_000;

/** Brings each vault of the source up to what the others hold. Fails where a vault still lacks something afterwards. */
export const copyWork: Work = async (work) => {
  const started = performance.now();
  const reports: CatchUpReport[] = [];
  const failures: { vault: string; error: ErrorReport }[] = [];
  const vaults = vaultsOf(work.context, work.source);
  for (const to of vaults) {
    try {
      const report = await copyInto(work, to, vaults);
      reports.push(report);
      for (const { blob, error } of report.lost) work.logger.error("blob-lost", { vault: to.name, blob, ...error });
      for (const { blob, error } of report.problems) {
        work.logger.error("blob-not-copied", { vault: to.name, blob, ...error });
        failures.push({ vault: to.name, error });
      }
    } catch (error: unknown) {
      work.signal.throwIfAborted();
      if (toAppError(error).kind !== "storage") throw error;
      work.logger.error("vault-behind", { vault: to.name, ...reportError(error) });
      failures.push({ vault: to.name, error: reportError(error) });
    }
  }
  const sum = (count: (report: CatchUpReport) => number) => reports.reduce((total, one) => total + count(one), 0);
  const behind = [...new Set(failures.map(({ vault }) => vault))];
  const figures = {
    backups: sum(({ backups }) => backups),
    segments: sum(({ segments }) => segments),
    records: sum(({ records }) => records),
    blobs: sum(({ blobs }) => blobs),
    bytes: sum(({ bytes }) => bytes),
    removed: sum(({ removed }) => removed),
    lost: sum(({ lost }) => lost.length),
    seconds: (performance.now() - started) / 1000,
    vaults: vaults.map(({ name }) => name).join(", "),
    behind: behind.join(", ") || null,
  };
  const [first] = failures;
  if (first === undefined) return { figures };
  const message = `${behind.join(", ")}: ${failures.length} problems; first: ${first.error.code}: ${first.error.message}`;
  return { figures, error: { code: "VAULT_BEHIND", message, hint: "The next copy goes on where this one ended." } };
};

async function copyInto(
  { context, source, signal, progress, logger }: WorkContext,
  to: Vault,
  vaults: readonly Vault[],
) {
  return catchUp({
    to,
    others: vaults.filter((vault) => vault !== to),
    source: source.name,
    trusted: await context.trustedKeys(),
    signer: await context.signer(),
    clock: context.clock,
    signal,
    progress,
    onStreaming: (error) => logger.warn("copy-streamed", { vault: to.name, ...reportError(error) }),
  });
}

/** Whether a vault lacks a backup, or log of the last hour, that another one holds. A vault that does not answer is not judged. */
export async function isAnyVaultBehind(context: Context, source: SourcePolicy): Promise<boolean> {
  const vaults = vaultsOf(context, source);
  const trusted = await context.trustedKeys();
  const now = context.clock().getTime();
  const after = idStart(new Date(now - QUICK_LOOK_MS));
  for (const to of vaults) {
    const others = vaults.filter((vault) => vault !== to);
    try {
      const { blobs } = await findLackOfBackups({ to, others, source: source.name, trusted }, after);
      if (blobs.some(({ createdAt }) => createdAt.getTime() < now - GRACE_MS)) return true;
    } catch (error: unknown) {
      if (toAppError(error).kind !== "storage") throw error;
    }
  }
  return false;
}
