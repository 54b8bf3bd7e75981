import { engineOf } from "../sources/engines.ts";
import { type FullBackup, readRecoveryWindows, type RecoveryGap, type RecoveryWindow } from "../sources/log-windows.ts";
import { reportError, toAppError, type ErrorReport } from "../core/errors.ts";
import { findSource } from "../core/policy.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import { listBackups as listCatalogue, type CatalogueEntry, type CatalogueQuery } from "../vault/catalogue.ts";
import { assertComplete } from "../vault/complete.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { type KnownDamage, readDamage } from "../vault/damage.ts";
import type { LogChain } from "../vault/segment-chain.ts";
import type { Vault } from "../vault/vault.ts";
import { type ExpectedTime, expectTime, type RestoreAmount } from "./expected-time.ts";
import { readMeasured } from "./measured-restores.ts";

/** One line of `list`: a backup that can be restored, or what lies there and can't, with the reason. */
export type ListedBackup =
  | {
      source: string;
      vault: string;
      id: string;
      consistentAt: string;
      tables: number;
      rows: number;
      storedBytes: number;
      error?: never;
    }
  | { source: string; vault: string; id: string | null; error: ErrorReport };

/** Everything that the vaults hold of one source, or of all. Throws SOURCE_UNKNOWN. */
export async function listBackups(context: Context, sourceName?: string): Promise<ListedBackup[]> {
  const { policy } = context;
  const sources = sourceName === undefined ? policy.sources : [findSource(policy, sourceName)];
  const listed: ListedBackup[] = [];
  for (const source of sources) {
    for (const vault of vaultsOf(context, source)) listed.push(...(await listVault(context, source, vault)));
  }
  return listed;
}

/** A window, and how long a restore of its end should take. */
export interface TimedWindow extends Omit<RecoveryWindow, "chain" | "isAhead"> {
  expectedSeconds: number;
  expectedBasis: ExpectedTime["basis"];
}

export interface VaultWindows {
  vault: string;
  windows: TimedWindow[];
  gaps: RecoveryGap[];
  /** The newest log that no full backup leads into yet. */
  unusable?: { reason: string; message: string };
  error?: ErrorReport;
}

/** The recovery windows of a source in each of its vaults. Throws SOURCE_UNKNOWN. */
export async function recoveryWindowsOf(context: Context, sourceName: string): Promise<VaultWindows[]> {
  const source = findSource(context.policy, sourceName);
  const trusted = await context.trustedKeys();
  return Promise.all(
    vaultsOf(context, source).map(async (vault): Promise<VaultWindows> => {
      try {
        const query = { vault, source: source.name, trusted };
        const fulls = await completeFulls(query);
        const found = await readRecoveryWindows(query, source.kind, fulls);
        const measured = await readMeasured(query);
        const { restoreRates } = engineOf(source.kind);
        const windows = found.windows.map(({ chain, isAhead: _isAhead, ...window }) => {
          const full = fulls.find(({ id }) => id === window.backup);
          const { seconds, basis } = expectTime(amountOf(full, chain), measured, restoreRates);
          return { ...window, expectedSeconds: seconds, expectedBasis: basis };
        });
        const { gaps, unusable } = found;
        return { vault: vault.name, windows, gaps, ...(unusable && { unusable }) };
      } catch (error: unknown) {
        if (toAppError(error).kind !== "storage") throw error;
        return { vault: vault.name, windows: [], gaps: [], error: reportError(error) };
      }
    }),
  );
}

/** The full backup and all of the log that comes after it. */
function amountOf(full: SizedBackup | undefined, chain: LogChain | undefined): RestoreAmount {
  const amount = { plainBytes: full?.plainBytes ?? 0, logBytes: 0, transactions: 0 };
  const segments = chain?.segments ?? [];
  const first = segments.findIndex(({ lastCommitAt }) => (lastCommitAt ?? "") > (full?.consistentAt ?? ""));
  for (const { plainBytes, transactions } of first === -1 ? [] : segments.slice(first)) {
    amount.logBytes += plainBytes;
    amount.transactions += transactions;
  }
  return amount;
}

interface SizedBackup extends FullBackup {
  plainBytes: number;
}

async function completeFulls(query: CatalogueQuery): Promise<SizedBackup[]> {
  const fulls: SizedBackup[] = [];
  const damage = await readDamage(query);
  for (const entry of await listCatalogue(query)) {
    if (entry.state === "invalid" || (await describe(query.vault, entry, damage)).error !== undefined) continue;
    const { id, consistentAt, position, totals } = entry.content;
    fulls.push({ id, consistentAt, position, plainBytes: totals.plainBytes });
  }
  return fulls;
}

async function listVault(context: Context, source: SourcePolicy, vault: Vault): Promise<ListedBackup[]> {
  const where = { source: source.name, vault: vault.name };
  try {
    const query = { vault, source: source.name, trusted: await context.trustedKeys() };
    const [entries, damage] = await Promise.all([listCatalogue(query), readDamage(query)]);
    return await Promise.all(entries.map(async (entry) => ({ ...where, ...(await describe(vault, entry, damage)) })));
  } catch (error: unknown) {
    if (toAppError(error).kind !== "storage") throw error;
    return [{ ...where, id: null, error: reportError(error) }];
  }
}

async function describe(vault: Vault, entry: CatalogueEntry, damage: KnownDamage) {
  if (entry.state === "invalid") return { id: entry.id, error: entry.error };
  try {
    await assertComplete(vault, entry.content, damage);
  } catch (error: unknown) {
    if (toAppError(error).kind !== "verify") throw error;
    return { id: entry.id, error: reportError(error) };
  }
  const { consistentAt, tables, totals } = entry.content;
  return { id: entry.id, consistentAt, tables: tables.length, rows: totals.rows, storedBytes: totals.storedBytes };
}
