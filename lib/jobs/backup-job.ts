import { AppError } from "../core/errors.ts";
import type { VaultPolicy } from "../core/policy-schema.ts";
import { engineOf } from "../sources/engines.ts";
import type { Finding } from "../sources/engine.ts";
import type { Work, WorkContext } from "../sources/work.ts";
import { openBackupWriter, type OpenedBackupWriter } from "../vault/backup-writer.ts";
import { vaultsOf } from "../vault/context.ts";
import { earlier } from "../vault/data-folders.ts";
import { readProtection } from "../vault/protection.ts";

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
    const { manifest, sha256, vaults } = await writer.commit(content);
    const behind = vaults.filter((vault) => vault.state === "behind");
    for (const { vault, error } of behind) logger.error("vault-behind", { vault, ...error });
    const immutableUntil = await readImmutability(work, manifest.id);
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
        immutableUntil: immutableUntil?.toISOString() ?? null,
      },
      artefacts: [{ kind: "full", id: manifest.id, sha256 }],
      ...(behind.length > 0 && { followUps: ["copy"] }),
    };
  } catch (error: unknown) {
    writer.abort(error);
    throw error;
  }
};

/**
 * Until when the vaults of the policy that are to be immutable keep the backup, as their storage says itself. Undefined where one
 * of them does not: a policy that was set and dropped must not look like one that holds.
 */
async function readImmutability(
  { context, source, logger, signal }: WorkContext,
  id: string,
): Promise<Date | undefined> {
  const asked = vaultsOf(context, source).filter(({ name }) => isImmutable(context.policy.vaults[name]));
  let until: Date | undefined;
  for (const [index, vault] of asked.entries()) {
    const { immutableUntil } = await readProtection(vault, source.name, id, { signal });
    if (immutableUntil === undefined) logger.error("vault-not-immutable", { vault: vault.name, backup: id });
    until = index === 0 ? immutableUntil : earlier(until, immutableUntil);
  }
  return until;
}

function isImmutable(vault: VaultPolicy | undefined): boolean {
  return vault?.kind === "azure-blob" && vault.immutable !== undefined;
}

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
