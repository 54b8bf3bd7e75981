import { AppError, reportError, type ErrorReport } from "../core/errors.ts";
import { findSource } from "../core/policy.ts";
import { readBackup } from "../vault/catalogue.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { type Hold, type HoldRecord, writeHold } from "../vault/hold.ts";
import { holdsOf } from "../vault/holds-of.ts";
import type { VaultOutcome } from "../vault/outcome.ts";
import { setLegalHold } from "../vault/protection.ts";
import type { Vault } from "../vault/vault.ts";

/** What is held of a source now, oldest hold first. Throws SOURCE_UNKNOWN, and MANIFEST_INVALID for records that can't be believed. */
export async function listHolds(context: Context, sourceName: string): Promise<Hold[]> {
  const source = findSource(context.policy, sourceName);
  const { held, damaged } = await holdsOf(context, source, context.clock());
  if (damaged[0] !== undefined) {
    throw new AppError("MANIFEST_INVALID", `${damaged[0]}: a hold record that can't be believed`, {
      hint: "Nothing is removed while it lies there; `resguardo verify` says what is wrong with it.",
    });
  }
  return [...held.values()].toSorted((a, b) => Date.parse(a.since) - Date.parse(b.since));
}

export interface HoldRequest {
  source: string;
  backup: string;
  action: "hold" | "release";
  reason: string;
  /** ISO 8601; null for until it is released. */
  until: string | null;
  /** Also set, or clear, the storage's own legal hold on every blob of the backup. */
  legalHold: boolean;
}

/** What a storage answered when it was asked for a legal hold, read back from it. */
export interface LegalHold {
  vault: string;
  /** Every blob of the backup is under one. */
  legalHold: boolean;
  error?: ErrorReport;
}

/**
 * Writes a hold or a release into every vault of the source. Throws NO_BACKUP for a backup that no vault has, USAGE for a release
 * of what is not held, and when no vault took the record.
 */
export async function setHold(
  context: Context,
  request: HoldRequest,
): Promise<{ record: HoldRecord; vaults: VaultOutcome[]; legalHolds: LegalHold[] }> {
  const source = findSource(context.policy, request.source);
  const vaults = vaultsOf(context, source);
  const trusted = await context.trustedKeys();
  const found = await Promise.all(
    vaults.map((vault) => readBackup({ vault, source: source.name, trusted }, request.backup)),
  );
  if (!found.some((entry) => entry !== undefined)) {
    throw new AppError("NO_BACKUP", `${source.name}: no vault has a backup "${request.backup}"`, {
      hint: `\`resguardo list ${source.name}\` shows the ids.`,
    });
  }
  const { held } = await holdsOf(context, source, context.clock());
  if (request.action === "release" && !held.has(request.backup)) {
    throw new AppError("USAGE", `--release: found ${request.backup}, which nothing holds`);
  }
  const { policy, policyHash, tool, clock } = context;
  const { backup, action, reason, until } = request;
  const content = { source: source.name, backup, action, reason, until };
  const by = { environment: policy.environment, tool, policyHash, signer: await context.signer(), clock };
  const written = await writeHold({ ...content, ...by, vaults });
  const wanted = request.legalHold ? vaults : [];
  const legalHolds = await Promise.all(wanted.map((vault) => holdInStorage(vault, source.name, request)));
  return { ...written, legalHolds };
}

async function holdInStorage(vault: Vault, source: string, { backup, action }: HoldRequest): Promise<LegalHold> {
  try {
    return { vault: vault.name, legalHold: await setLegalHold(vault, source, backup, action === "hold") };
  } catch (error: unknown) {
    return { vault: vault.name, legalHold: false, error: reportError(error) };
  }
}
