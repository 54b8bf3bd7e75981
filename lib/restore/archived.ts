import { AppError } from "../core/errors.ts";
import { dataName } from "../vault/names.ts";
import type { FoundBackup } from "./candidates.ts";

/** Blobs of a backup that have to be brought back from the archive tier before it can be restored. */
export interface Archived {
  blobs: number;
  sizeBytes: number;
  /** Until all of them can be read, once that was asked for: what Azure says for standard priority at most. */
  waitSeconds: number;
}

/** https://learn.microsoft.com/azure/storage/blobs/archive-rehydrate-overview */
const REHYDRATION_SECONDS = 15 * 3600;

/** Null where everything can be read now. Throws what the storage throws. */
export async function readArchived({ at, backup }: FoundBackup): Promise<Archived | null> {
  const folder = dataName(backup.content.source.name, backup.id, "");
  let archived: Archived | null = null;
  for await (const { tier, sizeBytes } of at.storage.data.list(folder)) {
    if (tier !== "archive") continue;
    const before: Archived = archived ?? { blobs: 0, sizeBytes: 0, waitSeconds: REHYDRATION_SECONDS };
    archived = { ...before, blobs: before.blobs + 1, sizeBytes: before.sizeBytes + sizeBytes };
  }
  return archived;
}

/** Throws BLOB_ARCHIVED before anything is done on the target. */
export async function assertOnline(found: FoundBackup): Promise<void> {
  const archived = await readArchived(found);
  if (archived === null) return;
  throw new AppError(
    "BLOB_ARCHIVED",
    `vault ${found.vault}: ${archived.blobs} blobs of ${found.id} are in the archive tier`,
    {
      hint:
        `Bring everything below ${dataName(found.backup.content.source.name, found.id, "")} back to the hot tier first ` +
        "(`az storage blob set-tier --tier Hot`), which takes up to 15 hours; or restore from another vault.",
    },
  );
}
