import { AppError } from "../core/errors.ts";
import { newId } from "../core/ids.ts";
import type { Clock } from "../core/time.ts";
import type { Tool } from "../core/tool.ts";
import { makeDataKey, wrapDataKey } from "./keys/data-key.ts";
import type { EncryptionKey } from "./keys/key.ts";
import type { SessionSigner } from "./keys/session-key.ts";
import { type BlobRecord, type EngineContent, type Manifest, manifestKind } from "./manifest.ts";
import { dataName } from "./names.ts";
import { type VaultOutcome, VaultOutcomes } from "./outcome.ts";
import { seal } from "./sealing.ts";
import { createInAll } from "./storage/create-in-all.ts";
import type { Vault } from "./vault.ts";
import { writeRecord } from "./write-record.ts";

export type { EngineContent } from "./manifest.ts";

/** What was written of one blob; an engine adds what it knows and hands it back in its content. */
export type BlobEntry = Pick<BlobRecord, "name" | "sizeBytes" | "plainBytes" | "sha256" | "chunks">;

/** What engines see of a backup that is being written. */
export interface BackupWriter {
  readonly id: string;
  /**
   * Seals a stream once and writes it into every vault that still takes part. Concurrent calls are fine. The name is unique
   * in the backup: `rows/000001`. Memory of a piece must not be changed after it was handed over, until `recycle` is called
   * with that piece, which it need not be; pieces of 1 to 4 MiB are best. Throws what the stream throws, and the storages' errors when the last vault has failed.
   */
  writeBlob(name: string, plain: AsyncIterable<Uint8Array>, recycle?: (piece: Uint8Array) => void): Promise<BlobEntry>;
}

export interface CommittedBackup {
  manifest: Manifest;
  /** Hex, of the manifest's file. */
  sha256: string;
  /** Every vault that the backup was meant for; at least one is done. */
  vaults: VaultOutcome[];
}

/*
 * open -> committed | aborted. Until the manifest stands in a vault there is no backup in it, whatever was uploaded: blobs
 * without a manifest are invisible in the catalogue and harmless. A vault that fails is left behind, and the others go on.
 */
export interface OpenedBackupWriter extends BackupWriter {
  /** Writes the signed manifest, last. Throws when no vault took it. */
  commit(content: EngineContent): Promise<CommittedBackup>;
  /** Stops uploads and refuses more. What was uploaded stays: whoever backs up has no right to delete. */
  abort(reason?: unknown): void;
}

export interface BackupWriterOptions {
  vaults: readonly Vault[];
  recipients: { vault: EncryptionKey; breakGlass: EncryptionKey };
  signer: SessionSigner;
  clock: Clock;
  source: { name: string; kind: string };
  environment: string;
  policyHash: string;
  tool: Tool;
  /** Commit or tag of the application that is backed up. */
  tag?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Where salts come from; tests inject it. */
  random?: (size: number) => Buffer;
}

/** Starts a backup with a data key of its own; asks no vault and no key service anything yet. */
export function openBackupWriter(options: BackupWriterOptions): OpenedBackupWriter {
  const { source, clock, recipients, signer } = options;
  const startedAt = clock();
  const id = newId(startedAt);
  const dataKey = makeDataKey();
  const vaults = new VaultOutcomes(options.vaults);
  const written = new Map<string, BlobEntry | "writing">();
  const aborted = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, aborted.signal]) : aborted.signal;
  let isClosed = false;

  const assertOpen = () => {
    signal.throwIfAborted();
    if (isClosed) throw new AppError("INVARIANT", `backup ${id}: already committed`);
  };

  return {
    id,
    async writeBlob(name, plain, recycle) {
      assertOpen();
      if (written.has(name)) throw new AppError("INVARIANT", `backup ${id}: blob "${name}" is written twice`);
      written.set(name, "writing");
      vaults.assertAnyLeft();
      const sealOptions = { dataKey, backupId: id, blobName: name, ...(recycle && { recycle }) };
      const sealing = seal(plain, options.random ? { ...sealOptions, random: options.random } : sealOptions);
      const created = await createEverywhere(vaults, dataName(source.name, id, name), sealing.bytes, signal);
      const entry = { name, ...created, ...sealing.totals };
      written.set(name, entry);
      return entry;
    },
    async commit(content) {
      assertOpen();
      assertSameBlobs(id, written, content.blobs);
      isClosed = true;
      const manifest = describeBackup(options, { id, startedAt, dataKey, content });
      const { content: signed, sha256 } = await writeRecord(
        {
          kind: manifestKind,
          source: source.name,
          id,
          contentOf: (links) => ({ ...manifest, vaults: links }),
          signer,
          clock,
          keys: [
            { ...recipients.vault, use: "vault" },
            { ...recipients.breakGlass, use: "break-glass" },
          ],
        },
        vaults,
      );
      return { manifest: signed, sha256, vaults: vaults.report() };
    },
    abort: (reason) => aborted.abort(reason),
  };
}

/** Creates the blob in all vaults that are left, and takes out those where it did not land as it was sealed. */
async function createEverywhere(
  vaults: VaultOutcomes,
  name: string,
  bytes: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<{ sizeBytes: number; sha256: string }> {
  const live = vaults.live;
  const storages = live.map((vault) => vault.storage.data);
  const outcomes = await createInAll(storages, name, bytes, { signal });
  const confirmed = outcomes.flatMap((outcome, index) => {
    const vault = live[index];
    if (!vault) return [];
    if ("created" in outcome) return [outcome.created];
    vaults.fail(vault, outcome.error);
    return [];
  });
  vaults.assertAnyLeft();
  const [first] = confirmed;
  if (!first) throw new AppError("STORAGE_UNAVAILABLE", `${name}: no vault that is left has it`);
  if (confirmed.every(({ sizeBytes, sha256 }) => sizeBytes === first.sizeBytes && sha256 === first.sha256))
    return first;
  throw new AppError("INVARIANT", `${name}: the vaults confirmed different bytes of one stream`);
}

/** An engine names exactly what it wrote: nothing that is missing, nothing that a restore would leave out. */
function assertSameBlobs(
  id: string,
  written: ReadonlyMap<string, BlobEntry | "writing">,
  named: readonly BlobEntry[],
): void {
  const isWritten = ({ name, sha256, sizeBytes }: BlobEntry) => {
    const entry = written.get(name);
    return entry !== undefined && entry !== "writing" && entry.sha256 === sha256 && entry.sizeBytes === sizeBytes;
  };
  const names = new Set(named.map(({ name }) => name));
  if (names.size === written.size && names.size === named.length && named.every(isWritten)) return;
  throw new AppError("INVARIANT", `backup ${id}: the engine names ${named.length} blobs, ${written.size} were written`);
}

interface BackupFacts {
  id: string;
  startedAt: Date;
  dataKey: Buffer;
  content: EngineContent;
}

function describeBackup(
  options: BackupWriterOptions,
  { id, startedAt, dataKey, content }: BackupFacts,
): Omit<Manifest, "vaults"> {
  const { recipients, tag } = options;
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  return {
    format: "resguardo-manifest",
    version: 1,
    kind: "full",
    id,
    source: options.source,
    environment: options.environment,
    startedAt: startedAt.toISOString(),
    finishedAt: options.clock().toISOString(),
    ...content,
    tool: options.tool,
    ...(tag !== undefined && { tag }),
    policyHash: options.policyHash,
    encryption: {
      cipher: "AES-256-GCM",
      kdf: "HKDF-SHA256",
      compression: "zstd",
      recipients: [
        wrapDataKey(dataKey, "vault", recipients.vault),
        wrapDataKey(dataKey, "break-glass", recipients.breakGlass),
      ],
    },
    totals: {
      rows: sum(content.tables.map(({ rows }) => rows)),
      plainBytes: sum(content.blobs.map(({ plainBytes }) => plainBytes)),
      storedBytes: sum(content.blobs.map(({ sizeBytes }) => sizeBytes)),
    },
  };
}
