import { engineOf } from "../sources/engines.ts";
import { type FullBackup, readRecoveryWindows, type RecoveryGap, type RecoveryWindow } from "../sources/log-windows.ts";
import { reportError, toAppError, type ErrorReport } from "../core/errors.ts";
import { findSource } from "../core/policy.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import {
  listBackups as listCatalogue,
  type CatalogueEntry,
  type CatalogueQuery,
  type ValidBackup,
} from "../vault/catalogue.ts";
import { assertComplete } from "../vault/complete.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { type KnownDamage, readDamage } from "../vault/damage.ts";
import { type DataFolder, earlier, listDataFolders } from "../vault/data-folders.ts";
import type { Hold } from "../vault/hold.ts";
import { holdsOf } from "../vault/holds-of.ts";
import type { LogChain } from "../vault/segment-chain.ts";
import type { Tier } from "../vault/storage/storage.ts";
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
      /** By a signed record of any vault; missing where one of them could not be asked. */
      held?: { reason: string; until: string | null } | null;
      /** The storage says that it removes nothing of this backup before then; null where it says no such thing. */
      immutableUntil: string | null;
      legalHold: boolean;
      /** Bytes of its data by tier; null where the storage has no tiers. */
      tiers: Partial<Record<Tier, number>> | null;
      error?: never;
    }
  | { source: string; vault: string; id: string | null; error: ErrorReport };

/** Everything that the vaults hold of one source, or of all. Throws SOURCE_UNKNOWN. */
export async function listBackups(context: Context, sourceName?: string): Promise<ListedBackup[]> {
  const { policy } = context;
  const sources = sourceName === undefined ? policy.sources : [findSource(policy, sourceName)];
  const listed: ListedBackup[] = [];
  for (const source of sources) {
    const held = await heldIn(context, source);
    for (const vault of vaultsOf(context, source)) listed.push(...(await listVault(context, source, vault, held)));
  }
  return listed;
}

type Held = ReadonlyMap<string, Hold> | undefined;

/** Undefined where a vault could not be asked: its line says why. */
async function heldIn(context: Context, source: SourcePolicy): Promise<Held> {
  try {
    return (await holdsOf(context, source, context.clock())).held;
  } catch (error: unknown) {
    if (toAppError(error).kind !== "storage") throw error;
    return undefined;
  }
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
    if (entry.state === "invalid" || (await lackOf(query.vault, entry, damage)) !== undefined) continue;
    const { id, consistentAt, position, totals } = entry.content;
    fulls.push({ id, consistentAt, position, plainBytes: totals.plainBytes });
  }
  return fulls;
}

async function listVault(context: Context, source: SourcePolicy, vault: Vault, held: Held): Promise<ListedBackup[]> {
  const where = { source: source.name, vault: vault.name };
  try {
    const query = { vault, source: source.name, trusted: await context.trustedKeys() };
    const [entries, damage] = await Promise.all([listCatalogue(query), readDamage(query)]);
    const folders = await listDataFolders(vault, source.name);
    const describe = async (entry: CatalogueEntry): Promise<ListedBackup> => {
      if (entry.state === "invalid") return { ...where, id: entry.id, error: entry.error };
      const error = await lackOf(vault, entry, damage);
      if (error !== undefined) return { ...where, id: entry.id, error };
      return { ...where, ...factsOf(entry, folders.get(entry.id)), ...holdOf(entry, held) };
    };
    return await Promise.all(entries.map(describe));
  } catch (error: unknown) {
    if (toAppError(error).kind !== "storage") throw error;
    return [{ ...where, id: null, error: reportError(error) }];
  }
}

/** What of a backup is missing or known to be damaged. */
async function lackOf(vault: Vault, entry: ValidBackup, damage: KnownDamage): Promise<ErrorReport | undefined> {
  try {
    await assertComplete(vault, entry.content, damage);
    return undefined;
  } catch (error: unknown) {
    if (toAppError(error).kind !== "verify") throw error;
    return reportError(error);
  }
}

function factsOf(entry: ValidBackup, folder: DataFolder | undefined) {
  const { consistentAt, tables, totals } = entry.content;
  const immutableUntil = earlier(entry.immutableUntil, folder?.immutableUntil);
  return {
    id: entry.id,
    consistentAt,
    tables: tables.length,
    rows: totals.rows,
    storedBytes: totals.storedBytes,
    immutableUntil: immutableUntil?.toISOString() ?? null,
    legalHold: entry.legalHold === true || folder?.legalHold === true,
    tiers: folder && folder.tiers.size > 0 ? Object.fromEntries(folder.tiers) : null,
  };
}

function holdOf({ id }: ValidBackup, held: Held): Pick<ListedBackup & { error?: never }, "held"> {
  if (held === undefined) return {};
  const hold = held.get(id);
  return { held: hold ? { reason: hold.reason, until: hold.until } : null };
}
