import { AppError } from "../core/errors.ts";
import { isId } from "../core/ids.ts";
import type { TrustedKeys } from "../vault/keys/key.ts";
import { readRunRecord, type RunRecordEntry } from "../vault/run-record.ts";
import type { Vault } from "../vault/vault.ts";

/** One receipt by the id of its run, with every vault that holds it. Throws RECEIPT_UNKNOWN, and what the storage throws. */
export async function findReceipt(
  id: string,
  from: { vaults: readonly Vault[]; sources: readonly string[]; trusted: TrustedKeys },
): Promise<{ receipt: RunRecordEntry; vaults: string[] }> {
  if (!isId(id)) throw new AppError("USAGE", `not the id of a run: found "${id}"`);
  const found: { vault: string; entry: RunRecordEntry }[] = [];
  for (const source of from.sources) {
    for (const vault of from.vaults) {
      const entry = await readRunRecord({ vault, source, trusted: from.trusted }, id);
      if (entry) found.push({ vault: vault.name, entry });
    }
  }
  const best = found.find(({ entry }) => entry.state === "valid") ?? found[0];
  if (best) return { receipt: best.entry, vaults: found.map(({ vault }) => vault) };
  throw new AppError("RECEIPT_UNKNOWN", `no vault holds a receipt of the run ${id}`, {
    hint: "`resguardo evidence` lists the receipts of a period; a run that is still under way has none yet.",
  });
}
