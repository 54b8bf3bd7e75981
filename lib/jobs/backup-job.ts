import { AppError } from "../core/errors.ts";
import { engineOf } from "../sources/engines.ts";
import type { Finding } from "../sources/engine.ts";
import type { Work, WorkContext } from "../sources/work.ts";
import { openBackupWriter, type OpenedBackupWriter } from "../vault/backup-writer.ts";
import { vaultsOf } from "../vault/context.ts";

/** A full backup into every vault of the source. Fails before the first byte when a requirement is not met. */
export const backupWork: Work = async (work) => {
  const { context, source, logger } = work;
  const started = performance.now();
  const engine = engineOf(source.kind);
  const url = await context.resolve(source.url, `sources.${source.name}.url`);
  const sourceContext = { ...work, url };

  assertMet(source.name, await engine.preflight(sourceContext));
  const writer = await openWriter(work);
  try {
    const content = await engine.backup(sourceContext, writer);
    const { manifest, vaults } = await writer.commit(content);
    const behind = vaults.filter((vault) => vault.state === "behind");
    for (const { vault, error } of behind) logger.error("vault-behind", { vault, ...error });
    return {
      figures: {
        backup: manifest.id,
        consistentAt: manifest.consistentAt,
        ...manifest.totals,
        tables: manifest.tables.length,
        seconds: (performance.now() - started) / 1000,
        vaults: vaults
          .filter(({ state }) => state === "done")
          .map(({ vault }) => vault)
          .join(", "),
        behind: behind.map(({ vault }) => vault).join(", ") || null,
      },
      ...(behind.length > 0 && { followUps: ["copy"] }),
    };
  } catch (error: unknown) {
    writer.abort(error);
    throw error;
  }
};

async function openWriter({ context, source, signal }: WorkContext): Promise<OpenedBackupWriter> {
  const { policy, policyHash, tool, clock } = context;
  return openBackupWriter({
    vaults: vaultsOf(context, source),
    recipients: await context.recipients(),
    signer: await context.signer(),
    clock,
    source: { name: source.name, kind: source.kind },
    environment: policy.environment,
    policyHash,
    tool,
    tag: source.tag,
    signal,
  });
}

/** Throws the first unmet requirement with all of them in its message. */
function assertMet(subject: string, findings: readonly Finding[]): void {
  const unmet = findings.filter(({ ok, level }) => level === "required" && ok === false);
  const [first] = unmet;
  if (!first) return;
  const all = unmet
    .map(({ setting, found, required }) => `${setting}: found ${found}, expected ${required}`)
    .join("; ");
  const change = unmet.flatMap((finding) => finding.change ?? []).join(" ");
  throw new AppError(first.code ?? "SOURCE_SETTING_WRONG", `${subject}: ${all}`, {
    hint: change || "Run `resguardo check` for details.",
  });
}
