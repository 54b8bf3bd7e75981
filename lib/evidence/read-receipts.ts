import { AppError, toAppError } from "../core/errors.ts";
import type { TrustedKeys } from "../vault/keys/key.ts";
import { listRunRecords, type RunRecord, type RunRecordEntry } from "../vault/run-record.ts";
import type { CallOptions } from "../vault/storage/storage.ts";
import type { Vault } from "../vault/vault.ts";

/** A receipt as evidence cites it. */
export interface CitedReceipt {
  content: RunRecord;
  /** SHA-256 (hex) of the signed record's file. */
  sha256: string;
  signedAt: string;
  signingKeyId: string;
  /** The vault that it was read from. */
  vault: string;
}

export interface ReceiptsRead {
  /** Valid ones, oldest first, each once. */
  receipts: CitedReceipt[];
  /** Names of records that can't be believed in any vault: shown, never left out. */
  invalid: { vault: string; id: string; code: string; message: string }[];
  /** Vaults that could not be asked. */
  unreadable: { vault: string; code: string; message: string }[];
}

export interface ReceiptsToRead extends CallOptions {
  vaults: readonly Vault[];
  source: string;
  trusted: TrustedKeys;
  after?: string;
  before?: string;
}

/**
 * The receipts of a source from all its vaults together: one that a vault lacks, or has damaged, is taken from another. A vault
 * that can't be asked is told. Throws STORAGE_UNAVAILABLE when none can.
 */
export async function readReceipts({ vaults, ...query }: ReceiptsToRead): Promise<ReceiptsRead> {
  const receipts = new Map<string, CitedReceipt>();
  const invalid = new Map<string, ReceiptsRead["invalid"][number]>();
  const unreadable: ReceiptsRead["unreadable"] = [];
  for (const vault of vaults) {
    try {
      for (const entry of await listRunRecords({ ...query, vault })) {
        if (entry.state === "valid") receipts.set(entry.id, receipts.get(entry.id) ?? cite(entry, vault));
        else invalid.set(entry.id, { vault: vault.name, id: entry.id, ...entry.error });
      }
    } catch (error: unknown) {
      const { kind, code, message } = toAppError(error);
      if (kind !== "storage") throw error;
      unreadable.push({ vault: vault.name, code, message });
    }
  }
  if (unreadable.length === vaults.length) {
    throw new AppError("STORAGE_UNAVAILABLE", `${query.source}: no vault could tell its receipts`);
  }
  return {
    receipts: [...receipts.values()].toSorted((a, b) => (a.content.id < b.content.id ? -1 : 1)),
    invalid: [...invalid.values()].filter(({ id }) => !receipts.has(id)),
    unreadable,
  };
}

function cite(entry: Extract<RunRecordEntry, { state: "valid" }>, vault: Vault): CitedReceipt {
  const { content, sha256, signedAt, signingKeyId } = entry;
  return { content, sha256, signedAt, signingKeyId, vault: vault.name };
}
