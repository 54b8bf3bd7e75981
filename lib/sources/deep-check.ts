import { AppError, toAppError } from "../core/errors.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import { type BackupReader, openBackupReader } from "../vault/backup-reader.ts";
import type { Context } from "../vault/context.ts";
import { damagedBlob } from "../vault/damaged-blob.ts";
import type { DecryptionKey } from "../vault/keys/key.ts";
import type { BlobRecord } from "../vault/manifest.ts";
import type { SegmentQuery, ValidSegment } from "../vault/segment-head.ts";
import { SegmentReader } from "../vault/segment-reader.ts";
import type { Vault } from "../vault/vault.ts";
import type { DeepCheck } from "../vault/verify-look.ts";
import type { SourceEngine } from "./engine.ts";
import { engineOf } from "./engines.ts";

/** What the private key of the policy shows of a source's backups and log. Throws what opening the key throws. */
export async function deepCheckOf(context: Context, source: SourcePolicy): Promise<DeepCheck> {
  return deepCheck([await context.decryptionKey()], engineOf(source.kind));
}

type Inspector = Pick<SourceEngine, "measureRows" | "countTransactions">;

/**
 * Opens every chunk with the private keys; where the engine is given, recomputes row counts and fingerprints and counts the log's
 * transactions.
 */
export function deepCheck(keys: readonly DecryptionKey[], engine: Inspector | undefined): DeepCheck {
  const readers = new Map<string, Promise<BackupReader>>();
  const logs = new Map<Vault, SegmentReader>();
  return {
    async openBlob(vault, manifest, blob, signal) {
      const key = `${vault.name}/${manifest.id}`;
      const opening = readers.get(key) ?? openBackupReader({ vault, manifest, keys, signal });
      readers.set(key, opening);
      const chunks = (await opening).readBlob(blob.name);
      if (engine && blob.role === "rows") await assertRows(engine, vault, blob, chunks);
      else await drain(chunks, signal);
    },
    async openSegment(query, segment) {
      const reader = logs.get(query.vault) ?? new SegmentReader(query, keys);
      logs.set(query.vault, reader);
      const isCounted = engine !== undefined && (await assertTransactions(engine, query, segment, reader));
      if (!isCounted) await drain(reader.read(segment, query.signal), query.signal);
    },
  };
}

async function drain(chunks: AsyncGenerator<Buffer, void, void>, signal: AbortSignal | undefined): Promise<void> {
  while (!(await chunks.next()).done) signal?.throwIfAborted();
}

async function assertRows(
  engine: Inspector,
  vault: Vault,
  blob: BlobRecord,
  chunks: AsyncIterable<Buffer>,
): Promise<void> {
  const measure = engine.measureRows();
  for await (const chunk of chunks) measure.push(chunk);
  const { openBytes, ...measured } = measure.measured();
  if (openBytes > 0) throw damagedBlob(vault.name, blob.name, `${openBytes} bytes after its last row`, "none");
  for (const field of ["rows", "fingerprint"] as const) {
    const expected = blob[field];
    if (measured[field] === expected) continue;
    throw damagedBlob(vault.name, blob.name, `${field} ${measured[field]}`, String(expected));
  }
}

/** Whether they could be counted. */
async function assertTransactions(
  engine: Inspector,
  { vault, signal }: SegmentQuery,
  segment: ValidSegment,
  reader: SegmentReader,
): Promise<boolean> {
  const expected = segment.content.transactions;
  let found: number | undefined;
  try {
    found = await engine.countTransactions(segment, (one) => reader.read(one, signal));
  } catch (error: unknown) {
    if (toAppError(error).kind !== "source") throw error;
    // What the vault's own checks let pass and the engine can't read was wrong when it was written.
    throw new AppError("BLOB_DAMAGED", `${segment.name}: ${toAppError(error).message}`, { cause: error });
  }
  if (found === undefined) return false;
  if (found === expected) return true;
  throw damagedBlob(vault.name, segment.name, `${found} transactions`, String(expected));
}
